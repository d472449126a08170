"""What is worth solving for: the box about the patient; and what stands around it, where all scans show air."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from ..files.writing import image_from_volume
from ..geometry.grid import Box, Grid
from ..geometry.ijk import ijk
from ..geometry.volume import Volume


def patient_box(samples: Sequence[np.ndarray], coarse: Grid, grid: Grid) -> Box:
    """Return the box of ``grid`` beyond which no scan shows the patient, a coarse voxel to spare.

    Args:
        samples: of each scan, as of ``levelling.smoothed_samples``, at the voxels of ``coarse``; where none shows a
            patient, the box is the whole grid.
        coarse: a grid with the axes of ``grid``.
    """
    shown = np.isfinite(samples).any(axis=0).reshape(coarse.dimensions[::-1])
    if not shown.any():
        return (0, 0, 0), grid.dimensions
    found = np.nonzero(shown)[::-1]
    ends = np.array([[at.min() - 1.5 for at in found], [at.max() + 1.5 for at in found]])
    to_grid = np.linalg.solve(grid.ijk_to_ras, coarse.ijk_to_ras)
    low, high = ends @ to_grid[:3, :3].T + to_grid[:3, 3]
    first = np.clip(np.floor(low + 0.5), 0, np.array(grid.dimensions) - 1)
    last = np.clip(np.ceil(high + 0.5), first + 1, grid.dimensions)
    return ijk(int(at) for at in first), ijk(int(at) for at in last)


def box_within(volume: Volume, grid: Grid, beyond: float) -> Box:
    """Return the voxels of ``volume``, one at least along each axis, that lie in the box of ``grid`` or near it.

    Args:
        beyond: mm, how far they may lie from it.
    """
    ends = [np.array([-0.5, size - 0.5]) for size in grid.dimensions]
    corners = np.stack(np.meshgrid(*ends), axis=-1).reshape(-1, 3)
    to_volume = np.linalg.solve(volume.ijk_to_ras, grid.ijk_to_ras)
    at = corners @ to_volume[:3, :3].T + to_volume[:3, 3]
    margin = beyond / np.array(volume.spacing)
    first = np.clip(np.floor(at.min(axis=0) - margin), 0, np.array(volume.dimensions) - 1)
    last = np.clip(np.ceil(at.max(axis=0) + margin) + 1, first + 1, volume.dimensions)
    return ijk(int(at) for at in first), ijk(int(at) for at in last)


def mean_of_scans(placed: Sequence[Volume], grid: Grid, empty: float) -> np.ndarray:
    """Return the mean of what the scans, interpolated linearly, show at the voxels of ``grid``: ``(k, j, i)`` float32.

    Args:
        empty: the value where there is none of them.
    """
    where = image_from_volume(Volume(np.zeros((1, 1, 1), np.uint8), grid.ijk_to_ras))
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(where)
    resampler.SetSize([int(size) for size in grid.dimensions])
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetDefaultPixelValue(float("nan"))
    total = np.zeros(grid.dimensions[::-1], np.float32)
    count = np.zeros(total.shape, np.uint8)
    for volume in placed:
        image = image_from_volume(volume)
        shown = sitk.GetArrayFromImage(resampler.Execute(sitk.Cast(image, sitk.sitkFloat32)))
        there = np.isfinite(shown)
        np.add(total, shown, out=total, where=there)
        count += there
    return np.divide(total, count, out=np.full_like(total, empty), where=count > 0)
