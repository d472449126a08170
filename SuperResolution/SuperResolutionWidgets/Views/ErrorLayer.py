from __future__ import annotations

import slicer
import slicer.util

from ..Scene.Companion import Companion
from ..Scene.companionDisplay import colourAs
from .ComparisonView import OVERLAY_OPACITY
from .HiddenVolume import HiddenVolume


class ErrorLayer:
    """Lays the expected error of an upscaled part over it in one slice view, where it is large; taken away, it leaves
    nothing.

    It is shown by the view's layer for label maps, the only one above that of the live view, which blends any volume. A
    label map that was there comes back.
    """

    NAME = "Expected error (live)"

    def __init__(self):
        self._hidden = HiddenVolume(self.NAME)
        self._covered: tuple | None = None

    def show(self, error, inputNode, composite) -> None:
        """Lay ``error``, a ``Volume``, over what the view of a composite node shows of ``inputNode``."""
        if not self._hidden.isInScene:
            self.remove()
            # The colours of the volume serve where Slicer lacks those of errors.
            self._hidden.make(displayedAs=inputNode.GetDisplayNode())
        self._hidden.hold(error, inputNode)
        if self._covered is not None and self._covered[0] is composite:
            # The colours stay as they are: they mean the same while one scrolls.
            return
        self.hide()
        colourAs(Companion.ERROR, self._hidden.display, error.voxels)
        self._covered = (composite, composite.GetLabelVolumeID(), composite.GetLabelOpacity())
        with slicer.util.NodeModify(composite):
            composite.SetLabelVolumeID(self._hidden.node.GetID())
            composite.SetLabelOpacity(OVERLAY_OPACITY)

    def hide(self) -> None:
        """Bring the view back to what it showed; a label map that the user has put in the layer's place stays."""
        if self._covered is None:
            return
        (composite, labelID, opacity), self._covered = self._covered, None
        if composite.GetScene() is None or composite.GetLabelVolumeID() != self._hidden.node.GetID():
            return
        there = labelID and slicer.mrmlScene.GetNodeByID(labelID)
        with slicer.util.NodeModify(composite):
            composite.SetLabelVolumeID(labelID if there else None)
            composite.SetLabelOpacity(opacity)

    def remove(self) -> None:
        """Take the layer out of the view and out of the scene."""
        self.hide()
        self._hidden.remove()
