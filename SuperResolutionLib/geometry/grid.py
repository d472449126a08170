"""Where voxels lie, without the voxels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .ijk import ijk
from .volume import Volume, refined_matrix

Box = tuple[tuple[int, int, int], tuple[int, int, int]]
"""First and last index (the last excluded) along i, j and k of some of a grid's voxels."""


class Grid(NamedTuple):
    """Where voxels lie: the IJK to RAS matrix and the number of voxels along i, j and k."""

    ijk_to_ras: np.ndarray
    dimensions: tuple[int, int, int]

    @classmethod
    def of(cls, volume: Volume) -> Grid:
        """Return the grid that a volume's voxels lie on."""
        return cls(volume.ijk_to_ras, volume.dimensions)

    @property
    def spacing(self) -> np.ndarray:
        """Distance of voxel centres along i, j and k, in mm."""
        return np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)

    def cropped(self, box: Box) -> Grid:
        """Return the grid of the voxels in ``box``."""
        first, last = box
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] += matrix[:3, :3] @ np.array(first, dtype=float)
        return Grid(matrix, ijk(high - low for low, high in zip(first, last)))

    def refined(self, factors: tuple[int, int, int]) -> Grid:
        """Return the grid whose voxels tile the same box, ``factors`` to one along i, j and k (``refined_matrix``)."""
        dimensions = ijk(size * factor for size, factor in zip(self.dimensions, factors))
        return Grid(refined_matrix(self.ijk_to_ras, factors), dimensions)

    def at_spacing(self, spacing: tuple[float, float, float]) -> Grid:
        """Return the grid of ``spacing`` (i, j, k, mm) about the same centre.

        The number of voxels is rounded, so that the box may differ by up to half a new voxel at each end.
        """
        scale = np.array(spacing) / self.spacing
        dimensions = ijk(max(1, int(round(count / step))) for count, step in zip(self.dimensions, scale))
        first = (np.array(self.dimensions) - 1) / 2 - scale * (np.array(dimensions) - 1) / 2
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] += matrix[:3, :3] @ first
        matrix[:3, :3] *= scale
        return Grid(matrix, dimensions)

    def box_of_region(self, region: tuple[float, ...]) -> Box:
        """Return the index box of all voxels that a box in RAS mm touches.

        Args:
            region: R, A, S of one corner and R, A, S of the opposite one, in mm.

        Raises:
            InputError: the region does not touch the grid.
        """
        return self.box_around(itertools.product(*zip(region[:3], region[3:])))

    def box_around(self, corners: Iterable[Sequence[float]]) -> Box:
        """Return the smallest index box of whole voxels around points in RAS mm, as far as it lies on the grid.

        Raises:
            InputError: it does not touch the grid.
        """
        points = np.array([(*corner, 1.0) for corner in corners])
        indices = points @ np.linalg.inv(self.ijk_to_ras).T
        tolerance = 1e-6
        first = np.floor(indices[:, :3].min(axis=0) + 0.5 + tolerance).clip(0, self.dimensions).astype(int)
        last = np.ceil(indices[:, :3].max(axis=0) + 0.5 - tolerance).clip(0, self.dimensions).astype(int)
        if (last <= first).any():
            raise InputError("The region does not touch the volume; move the region onto the image.")
        return ijk(int(v) for v in first), ijk(int(v) for v in last)
