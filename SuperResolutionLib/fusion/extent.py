"""What the fused volume covers, told from where the scans lie: no voxel is touched."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..geometry.grid import Grid
from ..geometry.ijk import ijk
from ..geometry.volume import Volume


def fused_grid(placed: Sequence[Volume], spacing: float, extent: str) -> Grid:
    """Return the isotropic grid of the result: along the axes of the first volume, from a corner of its box on.

    Args:
        placed: the scans in their places. extent: as of ``FuseRequest``.

    Raises:
        InputError: the scans have nothing in common.
    """
    first = placed[0]
    axes = first.ijk_to_ras[:3, :3] / np.array(first.spacing)
    corner = first.ijk_to_ras[:3, 3] - first.ijk_to_ras[:3, :3].sum(axis=1) / 2
    lows, highs = [], []
    for volume in placed:
        ends = [(-0.5, size - 0.5) for size in volume.dimensions]
        corners = np.array([(*at, 1.0) for at in itertools.product(*ends)]) @ volume.ijk_to_ras[:3].T
        along = (corners - corner) @ axes
        lows.append(along.min(axis=0))
        highs.append(along.max(axis=0))
    low, high = {
        "union": (np.min(lows, axis=0), np.max(highs, axis=0)),
        "common": (np.max(lows, axis=0), np.min(highs, axis=0)),
        "first": (lows[0], highs[0]),
    }[extent]
    start = np.floor(low / spacing + 1e-3)
    count = np.ceil(high / spacing - 1e-3) - start
    if (count < 1).any():
        raise InputError("The scans have no place in common; fuse scans of one region.")
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = corner + axes @ ((start + 0.5) * spacing)
    return Grid(matrix, ijk(int(size) for size in count))
