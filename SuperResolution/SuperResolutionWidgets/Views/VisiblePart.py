from __future__ import annotations

import numpy as np
import slicer.util

from .Cut import Cut


class VisiblePart:
    """Finds the voxels of a volume that a slice view shows."""

    SAMPLES = 33
    """Points along each side of the view that are looked at."""
    MOST_SLICES = 8
    """So many a view that is tilted against the slices may cross; more would take too long to be shown live."""

    def find(self, sliceNode, ijkToWorld: np.ndarray, first, last, axis: int) -> Cut | None:
        """Return the box of what a view shows, None where it shows nothing, or crosses too many slices.

        Args:
            ijkToWorld: 4 x 4, of the volume.
            first, last: the voxels in question along i, j and k, the last ones excluded.
            axis: across which the view cuts the volume; 0, 1, 2 for i, j, k.
        """
        points = self._points(sliceNode, np.linalg.inv(ijkToWorld))
        low, high = np.array(first), np.array(last)
        # Half a voxel beyond its centre a voxel ends.
        inside = ((points > low - 0.5) & (points < high - 0.5)).all(axis=-1)
        if not inside.any():
            return None
        steps = np.abs(np.diff(points[:2, :1], axis=0)[0, 0]) + np.abs(np.diff(points[:1, :2], axis=1)[0, 0])
        # Across the view it is the slices that its points lie in; along it, what may lie between two points, too.
        steps[axis] = 0
        shown = points[inside]
        begin = np.maximum(low, np.floor(shown.min(axis=0) - steps + 0.5).astype(int))
        end = np.minimum(high, np.floor(shown.max(axis=0) + steps + 0.5).astype(int) + 1)
        if end[axis] - begin[axis] > self.MOST_SLICES:
            return None
        return Cut(axis, tuple(map(int, begin)), tuple(map(int, end)), sliceNode)

    def _points(self, sliceNode, worldToIjk: np.ndarray) -> np.ndarray:
        """Return points of the view in voxels, ``(SAMPLES, SAMPLES, 3)``."""
        width, height, _ = sliceNode.GetDimensions()
        y, x = np.meshgrid(np.linspace(0, height, self.SAMPLES), np.linspace(0, width, self.SAMPLES), indexing="ij")
        pixels = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1)
        xyToWorld = slicer.util.arrayFromVTKMatrix(sliceNode.GetXYToRAS())
        return (pixels @ (worldToIjk @ xyToWorld).T)[..., :3]
