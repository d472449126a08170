from __future__ import annotations

import json
import re

import slicer
import slicer.util
import vtk

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.upscaling.report import detail, model_digests, model_names

from .Companion import COMPANION_ATTRIBUTE, Companion
from .companionDisplay import colourAs
from .Comparable import Comparable
from .DicomDescription import DicomDescription


class ResultPlacement:
    """Puts a result beside its input: same study, same transform, same window, shown in the slice views."""

    INPUT_REFERENCE = "SuperResolution.input"
    """The role under which the node of a result refers to its input, of a fused one to all its scans, in order."""

    REPORT_ATTRIBUTE = "SuperResolution.Report"
    """Attribute that every result has."""
    NAME_ATTRIBUTE = "SuperResolution.Name"
    """Attribute of a result: the name that it was given here."""

    def checkInputNode(self, inputNode) -> None:
        """Raise InputError if a node holds what came with a result, which is no scan."""
        companion = inputNode.GetAttribute(COMPANION_ATTRIBUTE) if inputNode is not None else None
        if companion:
            raise InputError(f"{inputNode.GetName()} shows {Companion(companion).meaning}; choose the scan instead.")

    def noteOn(self, inputNode) -> str:
        """Return a warning for a result that is to be upscaled again, or nothing."""
        if not inputNode.GetAttribute(self.REPORT_ATTRIBUTE):
            return ""
        return f"{inputNode.GetName()} is a result itself: what was predicted in it would be taken for measured."

    def checkOutputNode(self, outputNode, inputNode) -> None:
        """Raise InputError unless ``outputNode`` is None or a scalar volume other than the input."""
        if outputNode is None:
            return
        if outputNode is inputNode:
            raise InputError("The output is the input volume; choose another output, the input is never changed.")
        if outputNode.GetClassName() != "vtkMRMLScalarVolumeNode":
            raise InputError(f"{outputNode.GetName()} is not a scalar volume; choose another output volume.")

    def nameFor(self, inputNode, factor, spacing=None, isotropic: bool = False) -> str:
        """Return the result's name, such as ``MRHead SR x4``, ``... 2x2x1``, ``... isotropic`` or ``... 0.5 mm``.

        Args:
            factor, spacing, isotropic: as of ``UpscaleRequest``; the last two come before the first.
        """
        if isotropic:
            return self.nameWith(inputNode, "isotropic")
        values = factor if spacing is None else spacing
        several = isinstance(values, (tuple, list))
        text = "x".join(f"{value:g}" for value in (values if several else [values]))
        if spacing is not None:
            return self.nameWith(inputNode, f"{text} mm")
        return self.nameWith(inputNode, text if several else f"x{text}")

    def nameWith(self, inputNode, suffix: str) -> str:
        """Return the result's name with another suffix: ``MRHead SR isotropic``."""
        return f"{inputNode.GetName()} SR {suffix}"

    def resultOf(self, inputNode):
        """Return the newest result that was made of a node and is still in the scene, or None."""
        results = self._resultsOf(inputNode)
        return results[-1] if results else None

    def results(self) -> list:
        """Return all results that are in the scene and not hidden, the newest last."""
        return [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node.GetAttribute(self.REPORT_ATTRIBUTE) and not node.GetHideFromEditors()
        ]

    def comparables(self, result) -> list[Comparable]:
        """Return what a result can be compared with: its input, what came with it, the other results of the scene."""
        count = result.GetNumberOfNodeReferences(self.INPUT_REFERENCE)
        inputs = [result.GetNthNodeReference(self.INPUT_REFERENCE, number) for number in range(count)]
        found = [Comparable("Input" if count == 1 else node.GetName(), node) for node in inputs if node is not None]
        for companion in Companion:
            node = result.GetNodeReference(companion.reference)
            if node is not None:
                found.append(Comparable(companion.label(), node, sharesWindow=False))
        return found + [Comparable(node.GetName(), node) for node in self.results() if node not in (result, *inputs)]

    def _resultsOf(self, inputNode) -> list:
        return [
            node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if self._isResultOf(node, inputNode)
        ]

    def _isResultOf(self, node, inputNode) -> bool:
        return inputNode is not None and node.GetNodeReferenceID(self.INPUT_REFERENCE) == inputNode.GetID()

    def _nameFrom(self, outputNode, name: str) -> str:
        """Return what a reused output is called: a name that it was given here follows what is in it."""
        given = outputNode.GetAttribute(self.NAME_ATTRIBUTE)
        if outputNode.GetName() != given or re.sub(r"_\d+$", "", given) == name:
            return outputNode.GetName()
        return slicer.mrmlScene.GenerateUniqueName(name)

    def place(
        self,
        volume,
        report: dict,
        inputNode,
        name: str,
        outputNode=None,
        show: bool = True,
        companions=None,
        others=(),
    ):
        """Return the node that holds ``volume``: ``outputNode``, or a new one called ``name``.

        All that can run out of memory happens before the scene is touched, and new nodes that cannot be finished are
        taken out again with their display and their place in the hierarchy.

        Args:
            volume, report: of an ``UpscaleResult``.
            inputNode: whose display, transform, hierarchy parent and unit of the voxels are taken over. It is not
                changed.
            show: whether the views that show the input show the result instead, see ``_show``.
            companions: ``Companion`` to its volume; each gets a node of its own, to which the result's node refers.
            others: further nodes that the result was made from, beside ``inputNode``.
        """
        staging = self._staged(volume)
        stagedCompanions = [(companion, self._staged(extra), extra) for companion, extra in (companions or {}).items()]
        if outputNode is not None and outputNode.GetScene() is None:
            outputNode = None
        # Another look at the same scan is shown as the user has set it.
        keepsDisplay = outputNode is not None and self._isResultOf(outputNode, inputNode)
        title = name if outputNode is None else self._nameFrom(outputNode, name)
        created, references = [], {}
        try:
            for companion, staged, extra in stagedCompanions:
                node = self._newNode(f"{title} {companion.value}", created)
                node.SetAttribute(COMPANION_ATTRIBUTE, companion.value)
                self._fill(node, staged, extra, inputNode)
                self._colour(node, companion, extra)
                self._joinStudy(inputNode, node)
                references[companion.reference] = [node.GetID()]
            node = outputNode or self._newNode(name, created)
            with slicer.util.NodeModify(node):
                if outputNode is None:
                    node.SetAttribute(self.NAME_ATTRIBUTE, node.GetName())
                elif node.GetName() != title:
                    node.SetName(title)
                    node.SetAttribute(self.NAME_ATTRIBUTE, title)
                self._fill(node, staging, volume, inputNode)
                self._writeProvenance(node, report, inputNode)
                inputs = [made for made in (inputNode, *others) if made.GetScene() is not None]
                references[self.INPUT_REFERENCE] = [made.GetID() for made in inputs]
                self._refer(node, references)
            if not keepsDisplay:
                self._copyDisplay(inputNode, node)
            self._joinStudy(inputNode, node)
            DicomDescription().describe(inputNode, node, report, others)
        except Exception:
            for node in reversed(created):
                self._remove(node)
            raise
        if show:
            self._show(node, inputNode)
        return node

    def _staged(self, volume):
        staging = slicer.vtkMRMLScalarVolumeNode()
        self._setVoxels(staging, volume.voxels)
        return staging

    def _setVoxels(self, node, voxels):
        slicer.util.updateVolumeFromArray(node, voxels)
        image = node.GetImageData()
        if image.GetScalarType() == vtk.VTK_SIGNED_CHAR:
            # No storage node writes it; what Slicer makes of a signed 8-bit file is a char.
            image.AllocateScalars(vtk.VTK_CHAR, 1)
            slicer.util.arrayFromVolume(node)[:] = voxels

    def _newNode(self, name, created):
        scene = slicer.mrmlScene
        created.append(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name)))
        return created[-1]

    def _fill(self, node, staging, volume, inputNode):
        node.SetAndObserveImageData(staging.GetImageData())
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.ijk_to_ras))
        node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
        self._copyUnit(inputNode, node)

    def _copyUnit(self, inputNode, node):
        node.SetVoxelValueQuantity(self._copyOf(inputNode.GetVoxelValueQuantity()))
        node.SetVoxelValueUnits(self._copyOf(inputNode.GetVoxelValueUnits()))

    def _copyOf(self, codedEntry):
        if codedEntry is None:
            return None
        copied = slicer.vtkCodedEntry()
        copied.Copy(codedEntry)
        return copied

    def _refer(self, node, references):
        for role in (self.INPUT_REFERENCE, *(companion.reference for companion in Companion)):
            node.RemoveNodeReferenceIDs(role)
            for nodeID in references.get(role, ()):
                node.AddNodeReferenceID(role, nodeID)

    def _colour(self, node, companion, volume):
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        if display is None:
            return
        colourAs(companion, display, volume.voxels)
        colours = self._colorsLogic()
        if colours is not None:
            legend = colours.AddDefaultColorLegendDisplayNode(node)
            legend.SetTitleText(companion.label())
            legend.SetVisibility(True)

    def _colorsLogic(self):
        # There are no modules, and no legends, where this runs without the application.
        return slicer.modules.colors.logic() if hasattr(slicer, "modules") else None

    def _writeProvenance(self, node, report, inputNode):
        shown = detail(report)
        factors = (round(old / new, 4) for old, new in zip(inputNode.GetSpacing(), node.GetSpacing()))
        provenance = {
            "Model": model_names(report),
            "ModelSHA256": model_digests(report),
            "Factor": "x".join(f"{factor:.10g}" for factor in factors),
            "Detail": "" if shown is None else str(shown),
            "Device": report["device"],
            "Version": report["program"],
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

    def _show(self, node, inputNode):
        """Show a result where its input is on show, or else an earlier result of it; the views stay where they are.

        Only where nothing is on show at all, all views show it.
        """
        views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        if not any(view.GetBackgroundVolumeID() or view.GetForegroundVolumeID() for view in views):
            # Without a main window there is no layout whose views could be fitted.
            application = getattr(slicer, "app", None)
            hasViews = application is not None and application.layoutManager() is not None
            slicer.util.setSliceViewerLayers(background=node, fit=hasViews)
            return
        earlier = {result.GetID() for result in self._resultsOf(inputNode)}
        for shown in ({inputNode.GetID()}, earlier):
            chosen = [view for view in views if view.GetBackgroundVolumeID() in shown]
            if chosen:
                break
        for view in chosen:
            view.SetBackgroundVolumeID(node.GetID())

    def _remove(self, node):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)
        for index in reversed(range(node.GetNumberOfDisplayNodes())):
            slicer.mrmlScene.RemoveNode(node.GetNthDisplayNode(index))
        slicer.mrmlScene.RemoveNode(node)
