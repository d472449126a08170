from __future__ import annotations

import numpy as np
import slicer
import slicer.util

from SuperResolutionLib.geometry.volume import Volume

from ..Scene.Companion import Companion
from ..Scene.companionDisplay import colourAs
from .ComparisonView import ComparisonView
from .HiddenVolume import HiddenVolume
from .LiveView import LiveView


class SlicePreview:
    """Shows one upscaled slice, or a cut through slices, beside its interpolation; closed, it leaves nothing.

    Args:
        view: see ``ComparisonView``.
        live: the ``LiveView``, which ends wherever the preview, or another use of the views, needs them.
    """

    NAMES = ("Interpolated (B-spline)", "Super resolution (preview)", "Expected error (preview)")

    def __init__(self, view: ComparisonView, live: LiveView):
        self._view = view
        self._live = live
        self._shown: list[HiddenVolume] = []

    @property
    def isShown(self) -> bool:
        return bool(self._shown)

    def show(self, fine, added, inputNode, axis: int, sliceNode=None, error=None) -> None:
        """Show the slice.

        Args:
            fine: the slice as a ``Volume``. added: what it holds more than its interpolation, also a ``Volume``.
            inputNode: whose window and transform are taken over.
            axis: across the slice; 0, 1, 2 for i, j, k.
            sliceNode: the view that showed the slice, whose field of view is kept; None shows all of it.
            error: its expected error, also a ``Volume``, which is shown on it where it is large; or None.
        """
        self.close()
        interpolated = Volume(np.subtract(fine.voxels, added.voxels, dtype=np.float32), fine.ijk_to_ras)
        nodes = [self._node(*pair, inputNode) for pair in zip((interpolated, fine), self.NAMES)]
        over = None
        if error is not None:
            over = self._node(error, self.NAMES[2], inputNode)
            colourAs(Companion.ERROR, over.GetDisplayNode(), error.voxels)
        if not self._view.sideBySide(*nodes, like=sliceNode, across=axis, over=over):
            slicer.util.setSliceViewerLayers(background=nodes[1])

    def close(self) -> None:
        """Remove the slice from the scene and bring the views back to what they were, with nothing live in them."""
        self._live.end()
        if not self._shown:
            return
        self._view.restore()
        shown, self._shown = self._shown, []
        for hidden in shown:
            hidden.remove()

    def _node(self, volume, name: str, inputNode):
        hidden, inputDisplay = HiddenVolume(name), inputNode.GetDisplayNode()
        hidden.make(displayedAs=inputDisplay)
        self._shown.append(hidden)
        hidden.hold(volume, inputNode)
        if inputDisplay is not None:
            hidden.display.SetAutoWindowLevel(False)
            hidden.display.SetWindowLevel(inputDisplay.GetWindow(), inputDisplay.GetLevel())
        return hidden.node
