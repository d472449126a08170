"""One antialiased resampling of a volume to an exact spacing."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk

from .volume import Volume
from .volume_files import image_from_volume


def resample_to_spacing(volume: Volume, spacing: tuple[float, float, float]) -> Volume:
    """Return the volume at ``spacing`` (i, j, k, mm) about the same centre, as float32, covering its box.

    Axes that become coarser are first blurred so that the voxel's point spread function grows from the old spacing to
    the new one, both taken as the full width at half maximum (Cardoso et al. 2015); then cubic B-spline. The number of
    voxels is rounded, so that the box may differ by up to half a new voxel at each end.
    """
    padded = [2 if count < 4 else 0 for count in volume.dimensions]  # ITK's B-spline reads beyond lines of 2
    image = sitk.Cast(image_from_volume(_with_margin(volume, padded)), sitk.sitkFloat32)
    for axis, (old, new) in enumerate(zip(volume.spacing, spacing)):
        if new > old * 1.001 and volume.dimensions[axis] > 3:
            blur = sitk.RecursiveGaussianImageFilter()
            blur.SetDirection(axis)
            blur.SetSigma(math.sqrt((new**2 - old**2) / (8 * math.log(2))))
            image = blur.Execute(image)
    scale = np.array(spacing) / np.array(volume.spacing)
    sizes = [max(1, int(round(count / step))) for count, step in zip(volume.dimensions, scale)]
    first = [(count - 1) / 2 - step * (size - 1) / 2 for count, step, size in zip(volume.dimensions, scale, sizes)]
    grid = sitk.Image(sizes, sitk.sitkUInt8)
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint([v + margin for v, margin in zip(first, padded)]))
    grid.SetSpacing(spacing)
    grid.SetDirection(image.GetDirection())
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, :3] @ np.array(first)
    matrix[:3, :3] *= scale
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(grid)
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    resampler.UseNearestNeighborExtrapolatorOn()
    return Volume(sitk.GetArrayFromImage(resampler.Execute(image)), matrix, volume.modality)


def _with_margin(volume: Volume, margins: list[int]) -> Volume:
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ np.array(margins, dtype=float)
    return Volume(np.pad(volume.voxels, [(n, n) for n in reversed(margins)], mode="edge"), matrix, volume.modality)
