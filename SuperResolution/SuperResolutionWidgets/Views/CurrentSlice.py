from __future__ import annotations

import numpy as np
import slicer
import slicer.util

from ..Scene.VolumeNodes import ijkToWorld
from .Cut import Cut


class CurrentSlice:
    """Finds the part of a volume that the user is looking at and that a preview can show."""

    COSINE = 0.7
    """A view cuts a volume along a plane of its voxels if the angle between the two is below 45 degrees."""

    def find(self, volumeNode, volume, sliceAxis: int, box=None, throughSlices: bool = False) -> Cut:
        """Return the slice that a view shows, or the cut through the slices; the middle one where no view shows any.

        Args:
            volume: the ``Volume`` of ``volumeNode``.
            sliceAxis: the axis across the slices; 0, 1, 2 for i, j, k.
            box: first and last (excluded) index along i, j and k; the cut lies in it, and is as large.
            throughSlices: whether a cut through the slices is wanted.
        """
        axes = [axis for axis in (2, 1, 0) if (axis != sliceAxis) == throughSlices]
        first, last = box or ((0, 0, 0), volume.dimensions)
        toWorld = ijkToWorld(volumeNode)
        for sliceNode in self._views(volumeNode):
            sliceToRas = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
            indices = np.linalg.inv(toWorld) @ sliceToRas[:, 3]
            for axis in axes:
                normal = toWorld[:3, axis] / np.linalg.norm(toWorld[:3, axis])
                index = int(round(indices[axis]))
                if abs(sliceToRas[:3, 2] @ normal) >= self.COSINE and first[axis] <= index < last[axis]:
                    return self._cut(axis, index, first, last, sliceNode)
        return self._cut(axes[0], (first[axes[0]] + last[axes[0]]) // 2, first, last, None)

    def _cut(self, axis, index, first, last, sliceNode) -> Cut:
        low, high = list(first), list(last)
        low[axis], high[axis] = index, index + 1
        return Cut(axis, tuple(low), tuple(high), sliceNode)

    def _views(self, volumeNode):
        """Return the slice views, those that show the volume first."""
        views = []
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            sliceNode = slicer.mrmlScene.GetSingletonNode(composite.GetLayoutName(), "vtkMRMLSliceNode")
            if sliceNode is not None:
                shown = (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
                views.append((volumeNode.GetID() not in shown, len(views), sliceNode))
        return [view[-1] for view in sorted(views)]
