"""Where voxels lie, without the voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Grid(NamedTuple):
    """Where voxels lie: the IJK to RAS matrix and the number of voxels along i, j and k."""

    ijk_to_ras: np.ndarray
    dimensions: tuple[int, int, int]

    @property
    def spacing(self) -> np.ndarray:
        """Distance of voxel centres along i, j and k, in mm."""
        return np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)

    def at_spacing(self, spacing: tuple[float, float, float]) -> Grid:
        """Return the grid of ``spacing`` (i, j, k, mm) about the same centre.

        The number of voxels is rounded, so that the box may differ by up to half a new voxel at each end.
        """
        scale = np.array(spacing) / self.spacing
        dimensions = tuple(max(1, int(round(count / step))) for count, step in zip(self.dimensions, scale))
        first = (np.array(self.dimensions) - 1) / 2 - scale * (np.array(dimensions) - 1) / 2
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] += matrix[:3, :3] @ first
        matrix[:3, :3] *= scale
        return Grid(matrix, dimensions)
