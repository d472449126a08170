"""A volume interpolated to any grid, by SimpleITK's cubic B-spline: what the engine is compared with."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from SuperResolutionLib.files.writing import image_from_volume
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import Volume


def on_grid(volume: Volume, grid: Grid) -> np.ndarray:
    """Return ``volume`` at the voxels of ``grid``, ``(k, j, i)`` float32; beyond its faces its last voxels."""
    where = image_from_volume(Volume(np.zeros((1, 1, 1), np.uint8), grid.ijk_to_ras))
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(where)
    resampler.SetSize([int(size) for size in grid.dimensions])
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.UseNearestNeighborExtrapolatorOn()
    return sitk.GetArrayFromImage(resampler.Execute(sitk.Cast(image_from_volume(volume), sitk.sitkFloat32)))
