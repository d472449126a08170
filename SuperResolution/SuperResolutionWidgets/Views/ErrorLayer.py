from __future__ import annotations

import slicer
import slicer.util

from ..Scene.Companion import Companion
from ..Scene.companionDisplay import colourAs
from .ComparisonView import OVERLAY_OPACITY


class ErrorLayer:
    """Lays the expected error of an upscaled part over it in one slice view, where it is large; taken away, it leaves
    nothing.

    It is shown by the view's layer for label maps, the only one above that of the live view, which blends any volume. A
    label map that was there comes back.
    """

    NAME = "Expected error (live)"

    def __init__(self):
        self._node = None
        self._covered: tuple | None = None

    def show(self, error, inputNode, composite) -> None:
        """Lay ``error``, a ``Volume``, over what the view of a composite node shows of ``inputNode``."""
        if self._node is None or self._node.GetScene() is None:
            self.remove()
            self._make(inputNode)
        with slicer.util.NodeModify(self._node):
            slicer.util.updateVolumeFromArray(self._node, error.voxels)
            self._node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(error.ijk_to_ras))
            self._node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
        if self._covered is not None and self._covered[0] is composite:
            # The colours stay as they are: they mean the same while one scrolls.
            return
        self.hide()
        colourAs(Companion.ERROR, self._node.GetDisplayNode(), error.voxels)
        self._covered = (composite, composite.GetLabelVolumeID(), composite.GetLabelOpacity())
        with slicer.util.NodeModify(composite):
            composite.SetLabelVolumeID(self._node.GetID())
            composite.SetLabelOpacity(OVERLAY_OPACITY)

    def hide(self) -> None:
        """Bring the view back to what it showed; a label map that the user has put in the layer's place stays."""
        if self._covered is None:
            return
        (composite, labelID, opacity), self._covered = self._covered, None
        if composite.GetScene() is None or composite.GetLabelVolumeID() != self._node.GetID():
            return
        there = labelID and slicer.mrmlScene.GetNodeByID(labelID)
        with slicer.util.NodeModify(composite):
            composite.SetLabelVolumeID(labelID if there else None)
            composite.SetLabelOpacity(opacity)

    def remove(self) -> None:
        """Take the layer out of the view and out of the scene."""
        self.hide()
        if self._node is not None:
            for node in (self._node, self._node.GetDisplayNode()):
                if node is not None and node.GetScene() is not None:
                    slicer.mrmlScene.RemoveNode(node)
        self._node = None

    def _make(self, inputNode) -> None:
        node = slicer.vtkMRMLScalarVolumeNode()
        display = slicer.vtkMRMLScalarVolumeDisplayNode()
        if inputNode.GetDisplayNode() is not None:
            # Its colours serve where Slicer lacks those of errors.
            display.CopyContent(inputNode.GetDisplayNode())
        for hidden in (display, node):
            hidden.SetHideFromEditors(True)
            hidden.SetSaveWithScene(False)
        node.SetName(self.NAME)
        for added in (display, node):
            slicer.mrmlScene.AddNode(added)
        node.SetAndObserveDisplayNodeID(display.GetID())
        self._node = node
