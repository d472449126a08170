from __future__ import annotations

import slicer
import slicer.util

from SuperResolutionLib.errors import InputError

from .ResultPlacement import ResultPlacement
from .VolumeNodes import volumeFromNode


class SequencePlacement(ResultPlacement):
    """Puts a sequence of results beside its input: browsed together, shown with the same window and transform."""

    def __init__(self, sequencesLogic=None):
        self._sequencesLogic = sequencesLogic

    def shownNode(self, sequenceNode):
        """Return the volume node that shows the sequence's current volume in the views, or None."""
        browser = self._logic().GetFirstBrowserNodeForSequenceNode(sequenceNode)
        return browser.GetProxyNode(sequenceNode) if browser else None

    def sequenceOf(self, volumeNode):
        """Return the sequence node of several volumes whose current one a volume node shows, or None."""
        logic = self._logic()
        browser = logic.GetFirstBrowserNodeForProxyNode(volumeNode) if logic and volumeNode else None
        sequenceNode = browser.GetSequenceNode(volumeNode) if browser else None
        several = sequenceNode is not None and sequenceNode.GetNumberOfDataNodes() > 1
        return sequenceNode if several else None

    def volumes(self, sequenceNode) -> list:
        """Return the ``Volume`` of each data node.

        Raises:
            InputError: no sequence, an empty one, or as ``volumeFromNode``.
        """
        if sequenceNode is None or not sequenceNode.IsA("vtkMRMLSequenceNode"):
            raise InputError("No sequence is chosen; choose a sequence of volumes, or use upscale for one volume.")
        count = sequenceNode.GetNumberOfDataNodes()
        if count == 0:
            raise InputError(f"The sequence {sequenceNode.GetName()} is empty; load its volumes, or choose another.")
        return [volumeFromNode(sequenceNode.GetNthDataNode(number)) for number in range(count)]

    def newSequence(self, sequenceNode):
        """Return a sequence node with the index of another; it joins the scene when it is whole."""
        fineNode = slicer.vtkMRMLSequenceNode()
        fineNode.SetIndexName(sequenceNode.GetIndexName())
        fineNode.SetIndexUnit(sequenceNode.GetIndexUnit())
        fineNode.SetIndexType(sequenceNode.GetIndexType())
        fineNode.SetNumericIndexValueTolerance(sequenceNode.GetNumericIndexValueTolerance())
        return fineNode

    def addVolume(self, fineNode, sequenceNode, number: int, result) -> None:
        """Copy a result into ``fineNode`` at the index value of item ``number`` of ``sequenceNode``.

        Args:
            result: has a ``volume`` and its ``report``.
        """
        inputNode, node = sequenceNode.GetNthDataNode(number), slicer.vtkMRMLScalarVolumeNode()
        node.SetName(inputNode.GetName())
        self._setVoxels(node, result.volume.voxels)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(result.volume.ijk_to_ras))
        self._writeProvenance(node, result.report, inputNode)
        fineNode.SetDataNodeAtValue(node, sequenceNode.GetNthIndexValue(number))

    def placeSequence(self, fineNode, sequenceNode, name: str, show: bool = True):
        """Add ``fineNode`` to the scene, and to the browser of ``sequenceNode`` or a new one, and return it.

        Where that fails, the scene is as it was.
        """
        scene = slicer.mrmlScene
        before = self._nodes()
        browser = self._logic().GetFirstBrowserNodeForSequenceNode(sequenceNode)
        try:
            fineNode.SetName(scene.GenerateUniqueName(name))
            scene.AddNode(fineNode)
            if browser:
                browser.AddSynchronizedSequenceNode(fineNode)
            else:
                browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{fineNode.GetName()} browser")
                browser.SetAndObserveMasterSequenceNodeID(fineNode.GetID())
            self._logic().UpdateProxyNodesFromSequences(browser)
            shown, inputShown = browser.GetProxyNode(fineNode), browser.GetProxyNode(sequenceNode)
            if inputShown is not None:
                shown.SetAndObserveTransformNodeID(inputShown.GetTransformNodeID())
                self._copyDisplay(inputShown, shown)
                self._joinStudy(inputShown, shown)
        except Exception:
            if browser is not None and fineNode.GetID():
                browser.RemoveSynchronizedSequenceNode(fineNode.GetID())
            for node in reversed([node for node in self._nodes() if node not in before]):
                self._removeWithItem(node)
            raise
        if show:
            self._show(shown, inputShown or sequenceNode)
        return fineNode

    def _nodes(self):
        scene = slicer.mrmlScene
        return [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]

    def _removeWithItem(self, node):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)
        slicer.mrmlScene.RemoveNode(node)

    def _logic(self):
        if self._sequencesLogic is not None:
            return self._sequencesLogic
        # There are no modules, and no sequences, where this runs without the application.
        return slicer.modules.sequences.logic() if hasattr(slicer, "modules") else None
