from __future__ import annotations

import slicer
import slicer.util
import vtk

from .HiddenVolume import HiddenVolume


class LiveLayer:
    """Lays an upscaled part of a volume over it in one slice view; taken away, it leaves nothing.

    Where the part does not reach, the view shows what lies below: the volume, interpolated. Window and level are those
    of the volume, whichever of the two the user changes.
    """

    NAME = "Super resolution (live)"

    def __init__(self):
        self._hidden = HiddenVolume(self.NAME)
        self._inputNode = None
        self._observed: list = []
        self._following = False
        self._covered: tuple | None = None

    @property
    def isDisplaced(self) -> bool:
        """Whether the user has chosen another foreground volume in its view."""
        return self._covered is not None and self._covered[0].GetForegroundVolumeID() != self._hidden.node.GetID()

    def belowOf(self, composite):
        """Return the ID of the foreground volume that a view shows without this layer."""
        if self._covered is not None and self._covered[0] is composite:
            return self._covered[1]
        return composite.GetForegroundVolumeID()

    def show(self, fine, inputNode, composite) -> None:
        """Lay ``fine``, a ``Volume``, over ``inputNode`` in the view of a composite node."""
        if not self._hidden.isInScene or inputNode is not self._inputNode:
            self.remove()
            self._make(inputNode)
        self._hidden.hold(fine, inputNode)
        if self._covered is None or self._covered[0] is not composite:
            self.hide()
            self._cover(composite, inputNode)

    def hide(self) -> None:
        """Bring the view back to what it showed; what the user has put in the layer's place stays."""
        if self._covered is None:
            return
        (composite, foregroundID, opacity, compositing), self._covered = self._covered, None
        if composite.GetScene() is None or composite.GetForegroundVolumeID() != self._hidden.node.GetID():
            return
        there = foregroundID and slicer.mrmlScene.GetNodeByID(foregroundID)
        with slicer.util.NodeModify(composite):
            composite.SetForegroundVolumeID(foregroundID if there else None)
            composite.SetForegroundOpacity(opacity)
            composite.SetCompositing(compositing)

    def remove(self) -> None:
        """Take the layer out of the view and out of the scene."""
        self.hide()
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        self._hidden.remove()
        self._inputNode = None

    def _make(self, inputNode) -> None:
        self._hidden.make()
        self._inputNode = inputNode
        inputDisplay = inputNode.GetDisplayNode()
        if inputDisplay is not None:
            self._follow()
            self._observe(inputDisplay, self._follow)
            self._observe(self._hidden.display, self._lead)

    def _observe(self, node, function) -> None:
        self._observed.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: function())))

    def _cover(self, composite, inputNode) -> None:
        foregroundID, opacity = composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()
        self._covered = (composite, foregroundID, opacity, composite.GetCompositing())
        with slicer.util.NodeModify(composite):
            composite.SetForegroundVolumeID(self._hidden.node.GetID())
            # A volume that is blended over another one stays so.
            if foregroundID != inputNode.GetID():
                composite.SetForegroundOpacity(1.0)
                composite.SetCompositing(composite.Alpha)

    def _follow(self) -> None:
        """Show the layer as the volume is shown."""
        if self._following:
            return
        self._following = True
        inputDisplay, display = self._inputNode.GetDisplayNode(), self._hidden.display
        if inputDisplay is not None:
            display.CopyContent(inputDisplay)
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(inputDisplay.GetWindow(), inputDisplay.GetLevel())
        self._following = False

    def _lead(self) -> None:
        """Show the volume with the window and level that the user gave the layer, which lies on top."""
        if self._following:
            return
        self._following = True
        inputDisplay, display = self._inputNode.GetDisplayNode(), self._hidden.display
        chosen = display.GetWindow(), display.GetLevel()
        if inputDisplay is not None and chosen != (inputDisplay.GetWindow(), inputDisplay.GetLevel()):
            inputDisplay.SetAutoWindowLevel(False)
            inputDisplay.SetWindowLevel(*chosen)
        self._following = False
