from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk

from ..Scene.FollowedNode import FollowedNode
from .SharedWindow import SharedWindow

OVERLAY_OPACITY = 0.6


class ComparisonView:
    """Shows two volumes side by side, linked and with the same field of view, or fades between them.

    Args:
        onLeft: called when the user has left the two views by choosing another layout.
    """

    VIEWS = ("Red", "Yellow")
    ORIENTATIONS = (
        [[0, 0, 1], [-1, 0, 0], [0, 1, 0]],
        [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[-1, 0, 0], [0, 1, 0], [0, 0, 1]],
    )
    """Sagittal, coronal and axial as Slicer turns its views; columns: to the right, upwards, towards the user."""

    def __init__(self, onLeft=lambda: None):
        self._onLeft = onLeft
        self._before = None
        self._beforeFading = None
        self._opacity = 1.0
        self._layout = FollowedNode()
        self._window = SharedWindow()

    @property
    def isSideBySide(self) -> bool:
        return self._before is not None

    @property
    def isFading(self) -> bool:
        return self._beforeFading is not None

    @property
    def isComparing(self) -> bool:
        """Whether more than one volume is to be seen for the sake of comparing it."""
        return self.isSideBySide or (self.isFading and self._opacity < 1)

    def sideBySide(
        self, left, right, like=None, across: int | None = None, sharesWindow: bool = True, over=None
    ) -> bool:
        """Show two volume nodes; return whether the scene has the views for it.

        Args:
            like: the slice node whose position and field of view both get; None keeps the left one's.
            across: axis of the volumes, 0, 1, 2 for i, j, k, across which both are turned, onto the middle of
                ``right``; None leaves them as they are turned.
            sharesWindow: whether window and level of both change together.
            over: a volume node that is shown on the right one, or None.
        """
        self.end()
        views = [self._nodes(name) for name in self.VIEWS]
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if layout is None or None in sum(views, ()):
            return False
        self._before = (layout.GetViewArrangement(), [self._state(*view) for view in views])
        layout.SetViewArrangement(layout.SlicerLayoutSideBySideView)
        self._layout.follow(layout, self._onLayoutChanged)
        (first, _), (second, _) = views
        if like is not None and like is not first:
            self._align(first, like)
        if across is not None:
            self._turn(first, right, across)
            centre = self._centre(right)
            if like is None:
                first.JumpSliceByCentering(*centre)
            else:
                first.JumpSliceByOffsetting(*centre)
        self._align(second, first)
        for (_, composite), volume, upper in zip(views, (left, right), (None, over)):
            composite.SetBackgroundVolumeID(volume.GetID())
            composite.SetForegroundVolumeID(None if upper is None else upper.GetID())
            if upper is not None:
                composite.SetForegroundOpacity(OVERLAY_OPACITY)
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
        if sharesWindow:
            self._window.share(left, right)
        return True

    def fade(self, under, over, opacity: float, sharesWindow: bool = True) -> None:
        """Show ``under`` in all slice views and ``over`` on it, with an opacity of 0 to 1."""
        self.restore()
        if self._beforeFading is None:
            composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
            self._beforeFading = [(composite, self._layers(composite)) for composite in composites]
        self._opacity = opacity
        self._window.end()
        if sharesWindow:
            self._window.share(under, over)
        slicer.util.setSliceViewerLayers(background=under, foreground=over, foregroundOpacity=opacity)

    def end(self) -> None:
        """Leave the views to what comes next: what they showed before, neither side by side nor fading."""
        self.restore()
        if self._beforeFading is None:
            return
        before, self._beforeFading = self._beforeFading, None
        self._window.end()
        for composite, layers in before:
            if composite.GetScene() is not None:
                self._setLayers(composite, layers)

    def restore(self) -> None:
        """Bring the views back to what they were before ``sideBySide``; volumes that are gone are left out."""
        if self._before is None:
            return
        (arrangement, states), self._before = self._before, None
        self._layout.follow(None)
        self._window.end()
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        # A layout that the user chose meanwhile stays.
        if layout is not None and layout.GetViewArrangement() == layout.SlicerLayoutSideBySideView:
            layout.SetViewArrangement(arrangement)
        for name, state in zip(self.VIEWS, states):
            sliceNode, composite = self._nodes(name)
            if sliceNode is not None and composite is not None:
                self._setState(sliceNode, composite, state)

    def _onLayoutChanged(self) -> None:
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if layout.GetViewArrangement() != layout.SlicerLayoutSideBySideView:
            self.restore()
            self._onLeft()

    def _nodes(self, layoutName: str):
        """Return the slice node and the composite node of a view, None for what the scene lacks."""
        kinds = ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode")
        return tuple(slicer.mrmlScene.GetSingletonNode(layoutName, kind) for kind in kinds)

    def _state(self, sliceNode, composite) -> dict:
        return {
            "sliceToRas": slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS()),
            "heightOfView": sliceNode.GetFieldOfView()[1],
            "origin": sliceNode.GetXYZOrigin(),
            "layers": self._layers(composite),
            "linked": composite.GetLinkedControl(),
            "hotLinked": composite.GetHotLinkedControl(),
        }

    def _setState(self, sliceNode, composite, state: dict) -> None:
        self._place(sliceNode, state["sliceToRas"], state["heightOfView"], state["origin"])
        self._setLayers(composite, state["layers"])
        composite.SetLinkedControl(state["linked"])
        composite.SetHotLinkedControl(state["hotLinked"])

    def _layers(self, composite) -> tuple:
        volumeIDs = composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()
        return (*volumeIDs, composite.GetForegroundOpacity())

    def _setLayers(self, composite, layers: tuple) -> None:
        background, foreground = (
            volumeID if volumeID and slicer.mrmlScene.GetNodeByID(volumeID) else None for volumeID in layers[:2]
        )
        composite.SetBackgroundVolumeID(background)
        composite.SetForegroundVolumeID(foreground)
        composite.SetForegroundOpacity(layers[2])

    def _align(self, sliceNode, like) -> None:
        matrix = slicer.util.arrayFromVTKMatrix(like.GetSliceToRAS())
        self._place(sliceNode, matrix, like.GetFieldOfView()[1], like.GetXYZOrigin())

    def _turn(self, sliceNode, volumeNode, across: int) -> None:
        """Turn a view into the plane of a volume's voxels whose normal is nearest to its axis ``across``."""
        ijkToRas = vtk.vtkMatrix4x4()
        volumeNode.GetIJKToRASMatrix(ijkToRas)
        normal = slicer.util.arrayFromVTKMatrix(ijkToRas)[:3, across]
        sliceToRas = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
        if abs(sliceToRas[:3, 2] @ normal) < 0.7 * np.linalg.norm(normal):
            sliceToRas[:3, :3] = self.ORIENTATIONS[int(np.abs(normal).argmax())]
            sliceNode.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(sliceToRas))
            sliceNode.UpdateMatrices()
        sliceNode.RotateToVolumePlane(volumeNode)

    def _place(self, sliceNode, sliceToRas, heightOfView: float, origin) -> None:
        # Slicer keeps the height when a view is resized, as the change of layout does; the width follows the shape.
        width, height, _ = sliceNode.GetDimensions()
        sliceNode.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(sliceToRas))
        sliceNode.SetFieldOfView(heightOfView * width / height, heightOfView, sliceNode.GetFieldOfView()[2])
        sliceNode.SetXYZOrigin(*origin)
        sliceNode.UpdateMatrices()

    def _centre(self, volumeNode):
        bounds = [0.0] * 6
        volumeNode.GetRASBounds(bounds)
        return [(low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2])]
