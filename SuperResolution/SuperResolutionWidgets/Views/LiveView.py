from __future__ import annotations

from typing import Callable

import numpy as np
import slicer
import slicer.util
import vtk

from ..Scene.VolumeNodes import ijkToWorld
from .CurrentSlice import CurrentSlice
from .Cut import Cut
from .ErrorLayer import ErrorLayer
from .LiveLayer import LiveLayer
from .VisiblePart import VisiblePart


class LiveView:
    """Follows what the slice views show of a volume, and shows there what was upscaled of it.

    It lives in one view at a time: of those that show the volume and can show its slices, or cuts through them, the
    one that the user moved last.
    """

    def __init__(self):
        self._layer = LiveLayer()
        self._errorLayer = ErrorLayer()
        self._visible = VisiblePart()
        self._observed: list = []
        self._isChanging = False
        self._onMoved: Callable[[], None] = lambda: None
        self._moved = None
        self._inputNode = None

    @property
    def isOn(self) -> bool:
        return bool(self._observed)

    def begin(self, inputNode, onMoved: Callable[[], None]) -> None:
        """Call ``onMoved()`` whenever a view, what it shows, or the volume changes, until ``end``.

        It is also called, and ``isOn`` is False then, when the volume is gone or the user has chosen another foreground
        volume in the live view.
        """
        self.end()
        self._inputNode, self._onMoved = inputNode, onMoved
        scene = slicer.mrmlScene
        self._observe(scene, scene.NodeRemovedEvent, self._onNodeRemoved)
        self._observe(scene, scene.NodeAddedEvent, self._onNodeAdded)
        self._observe(inputNode, inputNode.ImageDataModifiedEvent, self._onChanged)
        self._observe(inputNode, inputNode.TransformModifiedEvent, self._onChanged)
        self._observe(inputNode, vtk.vtkCommand.ModifiedEvent, self._onChanged)
        for node in self._viewNodes():
            self._observe(node, vtk.vtkCommand.ModifiedEvent, self._onViewChanged)

    def end(self) -> None:
        """Leave the views and the scene as if it had never been on."""
        observed, self._observed = self._observed, []
        for node, tag in observed:
            node.RemoveObserver(tag)
        self._errorLayer.remove()
        self._layer.remove()
        self._inputNode = self._moved = None

    def cut(self, volume, sliceAxis: int, box=None, throughSlices: bool = False) -> Cut | None:
        """Return what is on show of the volume, None where no view shows any of it so that it can be upscaled.

        Args: as of ``CurrentSlice.find``; a view that is slightly tilted gives several slices.
        """
        axes = [axis for axis in (2, 1, 0) if (axis != sliceAxis) == throughSlices]
        first, last = box or ((0, 0, 0), volume.dimensions)
        toWorld = ijkToWorld(self._inputNode)
        for sliceNode in self._views():
            normal = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())[:3, 2]
            cosines = np.abs(normal @ toWorld[:3, :3]) / np.linalg.norm(toWorld[:3, :3], axis=0)
            axis = int(cosines.argmax())
            if axis in axes and cosines[axis] >= CurrentSlice.COSINE:
                found = self._visible.find(sliceNode, toWorld, first, last, axis)
                if found is not None:
                    return found
        return None

    def show(self, fine, cut: Cut, error=None) -> None:
        """Show ``fine``, the ``Volume`` that was upscaled of ``cut``, and its expected error over it, or None."""
        composite = self._compositeOf(cut.sliceNode)
        self._quietly(self._layer.show, fine, self._inputNode, composite)
        if error is None:
            self._quietly(self._errorLayer.hide)
        else:
            self._quietly(self._errorLayer.show, error, self._inputNode, composite)

    def hide(self) -> None:
        """Show the volume, interpolated, until the next ``show``."""
        self._quietly(self._errorLayer.hide)
        self._quietly(self._layer.hide)

    def _quietly(self, change, *arguments) -> None:
        """Change the views without being told of it."""
        self._isChanging = True
        try:
            change(*arguments)
        finally:
            self._isChanging = False

    def _views(self) -> list:
        """Return the slice views that show the volume; the one that was moved last comes first, hidden ones last."""
        views = []
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            sliceNode = slicer.mrmlScene.GetSingletonNode(composite.GetLayoutName(), "vtkMRMLSliceNode")
            shown = (composite.GetBackgroundVolumeID(), self._layer.belowOf(composite))
            if sliceNode is not None and self._inputNode.GetID() in shown:
                views.append(sliceNode)
        return sorted(views, key=lambda view: (view is not self._moved, not view.IsMappedInLayout()))

    def _viewNodes(self) -> list:
        kinds = ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode")
        return [node for kind in kinds for node in slicer.util.getNodesByClass(kind)]

    def _compositeOf(self, sliceNode):
        return slicer.mrmlScene.GetSingletonNode(sliceNode.GetLayoutName(), "vtkMRMLSliceCompositeNode")

    def _observe(self, node, event, function) -> None:
        self._observed.append((node, node.AddObserver(event, function)))

    def _onViewChanged(self, node, event=None) -> None:
        if node.IsA("vtkMRMLSliceNode"):
            # Linked views move with the one that the user has in hand.
            inHand = [view for view in slicer.util.getNodesByClass("vtkMRMLSliceNode") if view.GetInteracting()]
            self._moved = inHand[0] if inHand else node
        self._onChanged()

    def _onChanged(self, node=None, event=None) -> None:
        if self._isChanging or not self.isOn:
            return
        if self._layer.isDisplaced:
            self._leave()
        else:
            self._onMoved()

    def _leave(self) -> None:
        onMoved = self._onMoved
        self.end()
        onMoved()

    def _onNodeAdded(self, scene=None, event=None) -> None:
        # A layout that is chosen for the first time brings its views along.
        followed = [node for node, _ in self._observed]
        for node in self._viewNodes():
            if node not in followed:
                self._observe(node, vtk.vtkCommand.ModifiedEvent, self._onViewChanged)

    def _onNodeRemoved(self, scene=None, event=None) -> None:
        if self._inputNode is not None and self._inputNode.GetScene() is None:
            self._leave()
