from __future__ import annotations

import json

import slicer
import slicer.util

from SuperResolutionLib.errors import InputError

from .DicomDescription import DicomDescription


class ResultPlacement:
    """Puts a result beside its input: same study, same transform, same window, shown in the slice views."""

    def checkOutputNode(self, outputNode, inputNode) -> None:
        """Raise InputError unless ``outputNode`` is None or a scalar volume other than the input."""
        if outputNode is None:
            return
        if outputNode is inputNode:
            raise InputError("The output is the input volume; choose another output, the input is never changed.")
        if outputNode.GetClassName() != "vtkMRMLScalarVolumeNode":
            raise InputError(f"{outputNode.GetName()} is not a scalar volume; choose another output volume.")

    def nameFor(self, inputNode, factor) -> str:
        """Return the result's name: ``MRHead SR x4``, or ``MRHead SR 2x2x1`` for one factor per axis."""
        suffix = "x".join(str(f) for f in factor) if isinstance(factor, (tuple, list)) else f"x{factor}"
        return f"{inputNode.GetName()} SR {suffix}"

    def place(self, volume, report: dict, inputNode, name: str, outputNode=None, show: bool = True):
        """Return the node that holds ``volume``: ``outputNode``, or a new one called ``name``.

        All that can run out of memory happens before the scene is touched, and a new node that cannot be finished is
        taken out again with its display and its place in the hierarchy.

        Args:
            volume, report: of an ``UpscaleResult``.
            inputNode: whose display, transform and hierarchy parent are taken over. It is not changed.
        """
        staging = slicer.vtkMRMLScalarVolumeNode()
        slicer.util.updateVolumeFromArray(staging, volume.voxels)
        scene = slicer.mrmlScene
        created = None
        if outputNode is None or outputNode.GetScene() is None:
            created = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
        node = created or outputNode
        try:
            with slicer.util.NodeModify(node):
                node.SetAndObserveImageData(staging.GetImageData())
                node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.ijk_to_ras))
                node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
                self._writeProvenance(node, report)
            self._copyDisplay(inputNode, node)
            self._joinStudy(inputNode, node)
            DicomDescription().describe(inputNode, node, report)
        except Exception:
            if created:
                self._remove(created)
            raise
        if show:
            self._show(node)
        return node

    def _writeProvenance(self, node, report):
        provenance = {
            "Model": report.get("model", ""),
            "ModelSHA256": report.get("model_sha256", ""),
            "Factor": "x".join(str(factor) for factor in report.get("factors_ijk", [])),
            "Detail": str(report.get("detail", "")),
            "Device": report.get("device", ""),
            "Version": report.get("program", ""),
            "Report": json.dumps(report),
        }
        for key, value in provenance.items():
            node.SetAttribute(f"SuperResolution.{key}", value)

    def _copyDisplay(self, inputNode, node):
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
        inputDisplay, display = inputNode.GetDisplayNode(), node.GetDisplayNode()
        if inputDisplay is None or display is None:
            return
        display.CopyContent(inputDisplay)
        # An automatic window is computed from the histogram, which is another one in the finer volume.
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(inputDisplay.GetWindow(), inputDisplay.GetLevel())

    def _joinStudy(self, inputNode, node):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        inputItem = hierarchy.GetItemByDataNode(inputNode)
        parent = hierarchy.GetItemParent(inputItem) if inputItem else hierarchy.GetSceneItemID()
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, parent)
        else:
            hierarchy.CreateItem(parent, node)

    def _show(self, node):
        # Without a main window there is no layout whose views could be fitted.
        application = getattr(slicer, "app", None)
        hasViews = application is not None and application.layoutManager() is not None
        slicer.util.setSliceViewerLayers(background=node, fit=hasViews)

    def _remove(self, node):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)
        for index in reversed(range(node.GetNumberOfDisplayNodes())):
            slicer.mrmlScene.RemoveNode(node.GetNthDisplayNode(index))
        slicer.mrmlScene.RemoveNode(node)
