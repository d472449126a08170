"""Antialiased resampling onto another grid with parallel axes, axis by axis."""

from __future__ import annotations

import functools
import math

import numpy as np
import SimpleITK as sitk

from .grid import Grid
from .line_weights import SHORTEST_LINE, line_weights, unit_lines
from .volume import Volume

CHUNK = 128
KEPT = 6
"""Matrices: two for each axis."""


def resample_to_spacing(volume: Volume, spacing: tuple[float, float, float]) -> Volume:
    """Return the volume on its ``Grid.at_spacing`` as float32; see ``line_resamplers``."""
    return resampled(volume, Grid.of(volume).at_spacing(spacing))


def resampled(volume: Volume, grid: Grid) -> Volume:
    """Return the volume on a grid with parallel axes, as float32; see ``line_resamplers``."""
    voxels = volume.voxels
    lines = line_resamplers(Grid.of(volume), grid)
    # What is only cut out goes first: less is left to interpolate.
    for axis in sorted(range(3), key=lambda axis: not isinstance(lines[axis], slice)):
        voxels = resampled_lines(voxels, 2 - axis, lines[axis])
    return Volume(np.asarray(voxels, np.float32), grid.ijk_to_ras, volume.modality)


def line_resamplers(old: Grid, new: Grid) -> list[slice | np.ndarray]:
    """Return for i, j and k what ``resampled_lines`` needs to take lines of ``old`` onto ``new``.

    That is a slice where the new voxels are some of the old ones, else a float32 matrix ``(new, old)``. Axes that
    become coarser are first blurred so that the voxel's point spread function grows from the old spacing to the new
    one, both taken as the full width at half maximum (Cardoso et al. 2015); then cubic B-spline, and beyond the volume
    its last voxel. All of it is linear and separable, so that products with these matrices do the same.

    Args:
        new: its axes are parallel to those of ``old``.
    """
    steps = new.spacing / old.spacing
    firsts = np.linalg.solve(old.ijk_to_ras[:3, :3], new.ijk_to_ras[:3, 3] - old.ijk_to_ras[:3, 3])
    resamplers: list[slice | np.ndarray] = []
    for count, first, step, size in zip(old.dimensions, firsts, steps, new.dimensions):
        start = round(first)
        aligned = abs(step - 1) * size < 1e-4 and abs(first - start) < 1e-4
        if aligned and start >= 0 and start + size <= count:
            resamplers.append(slice(start, start + size))
        else:
            resamplers.append(_weights(count, float(first), float(step), size))
    return resamplers


def resampled_lines(array: np.ndarray, axis: int, lines: slice | np.ndarray) -> np.ndarray:
    """Return ``array`` with the lines along ``axis`` resampled by one of ``line_resamplers``."""
    if isinstance(lines, slice):
        return array[(slice(None),) * axis + (lines,)]
    array = np.moveaxis(array, axis, -1)
    result = np.empty((*array.shape[:-1], len(lines)), np.float32)
    for first in range(0, len(lines), CHUNK):
        weights = lines[first : first + CHUNK]
        # A voxel depends on its neighbourhood alone: the spline's weights fall by a factor of 4 a sample.
        used = np.flatnonzero(np.abs(weights).max(axis=0) > 1e-7)
        near = slice(used[0], used[-1] + 1)
        result[..., first : first + CHUNK] = array[..., near] @ weights[:, near].T
    return np.moveaxis(result, -1, axis)


@functools.lru_cache(KEPT)
def _weights(count: int, first: float, step: float, size: int) -> np.ndarray:
    """Return the ``(size, count)`` matrix to samples at ``first``, ``first + step``, ... of a line of ``count``.

    The last ones are kept, read-only: to make one takes as long as to refine a small slice.
    """
    lines, margin = unit_lines(count, "edge")
    if step > 1.001 and count >= SHORTEST_LINE:
        lines = _blurred(lines, math.sqrt((step**2 - 1) / (8 * math.log(2))))
    weights = line_weights(lines, first + margin, step, size, "bspline").T.copy()
    weights.flags.writeable = False
    return weights


def _blurred(lines: np.ndarray, sigma: float) -> np.ndarray:
    blur = sitk.RecursiveGaussianImageFilter()
    blur.SetDirection(0)
    blur.SetSigma(sigma)
    return sitk.GetArrayFromImage(blur.Execute(sitk.GetImageFromArray(lines)))
