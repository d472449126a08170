"""The nearest voxel: which voxel of one grid another grid's centres lie in."""

from __future__ import annotations

import numpy as np

from .grid import Grid


def nearest_indices(old: Grid, new: Grid) -> list[np.ndarray]:
    """Return for i, j and k the index of the voxel of ``old`` in which each new voxel's centre lies.

    Beyond ``old`` it is the last voxel there.

    Args:
        new: its axes are parallel to those of ``old``.
    """
    firsts = np.linalg.solve(old.ijk_to_ras[:3, :3], new.ijk_to_ras[:3, 3] - old.ijk_to_ras[:3, 3])
    return [
        np.floor(first + step * np.arange(size) + 0.5 + 1e-6).clip(0, count - 1).astype(int)
        for first, step, size, count in zip(firsts, new.spacing / old.spacing, new.dimensions, old.dimensions)
    ]


def at_nearest(voxels: np.ndarray, old: Grid, new: Grid) -> np.ndarray:
    """Return ``voxels``, ``(k, j, i)`` on ``old``, at the nearest ones of ``new``; see ``nearest_indices``."""
    return voxels[np.ix_(*reversed(nearest_indices(old, new)))]
