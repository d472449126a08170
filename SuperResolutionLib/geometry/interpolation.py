"""What super-resolution is compared with: classical interpolation and iterative back-projection."""

from __future__ import annotations

from typing import Callable

import numpy as np
import torch

from ..errors import InputError
from .grid import Grid
from .line_weights import INTERPOLATORS, line_weights, unit_lines
from .resampling import resampled
from .volume import Volume, refined_matrix


def interpolate(volume: Volume, factors: tuple[int, int, int], method: str = "bspline") -> Volume:
    """Return the volume on the refined grid (``refined_matrix``: its voxels tile the same box), as float32.

    Args:
        volume: what to refine; beyond its edges the image goes on mirrored or with its last voxel, never with zeros.
        factors: whole numbers of new voxels per old one along i, j and k.
        method: "nearest", "linear", "bspline" (cubic B-spline that passes through the samples: Unser, Aldroubi and
            Eden 1993, "B-spline signal processing") or "lanczos" (Lanczos-windowed sinc over 10 voxels: Duchon 1979,
            "Lanczos filtering in one and two dimensions").

    Raises:
        InputError: the method is unknown, or a factor is not a whole number above 0.
    """
    voxels = refine(volume.voxels, tuple(reversed(factors)), method)
    return Volume(voxels, refined_matrix(volume.ijk_to_ras, factors), volume.modality)


def refine(array: np.ndarray, factors: tuple[int, ...], method: str = "bspline") -> np.ndarray:
    """Return ``array`` as float32 with ``factors[n]`` samples for each old one along axis n, under the half-voxel rule.

    The methods and errors are those of ``interpolate``. All the kernels are separable and linear: along each axis the
    result is a product with the matrix of what SimpleITK's resampler makes of single samples, which for Lanczos is a
    hundred times as fast as its own three-dimensional kernel.
    """
    if method not in INTERPOLATORS:
        raise InputError(f"There is no interpolation called {method}; choose one of {', '.join(INTERPOLATORS)}.")
    if any(factor != int(factor) or factor < 1 for factor in factors):
        raise InputError(f"Cannot interpolate by {factors}; give whole numbers above 0.")
    array = np.asarray(array, dtype=np.float32)
    for axis, factor in enumerate(factors):
        if factor > 1:
            weights = _weights(array.shape[axis], int(factor), method)
            array = np.moveaxis(np.tensordot(array, weights, (axis, 0)), -1, axis)
    return np.ascontiguousarray(array)


def added_to_interpolation(coarse: Volume, fine: Volume) -> Volume:
    """Return ``fine`` minus the cubic B-spline interpolation of ``coarse`` at its voxels: float32, in the same units.

    Args:
        fine: its axes are parallel to those of ``coarse``; it may cover a part of it.
    """
    interpolated = resampled(coarse, Grid(fine.ijk_to_ras, fine.dimensions))
    return Volume(np.subtract(fine.voxels, interpolated.voxels, dtype=np.float32), fine.ijk_to_ras, fine.modality)


def _weights(length: int, factor: int, method: str) -> np.ndarray:
    """Return the ``(length, factor * length)`` float32 matrix that refines a line of samples."""
    # Beyond the ends SimpleITK mirrors, and two more samples at each end of a line of 2 or 3 stop where the mirrored
    # line turns, so that they change nothing.
    lines, margin = unit_lines(length, "reflect")
    weights = line_weights(lines, (1 / factor - 1) / 2, 1 / factor, factor * lines.shape[1], method)
    weights = weights[:, factor * margin : factor * (margin + length)]
    # A windowed sinc's weights do not quite add up to 1, and would darken the image by 0.2 %.
    return weights / weights.sum(axis=0)


def back_project(
    coarse: torch.Tensor,
    fine: torch.Tensor,
    operator: Callable[[torch.Tensor, int], torch.Tensor],
    factor: int,
    iterations: int = 10,
) -> torch.Tensor:
    """Return ``fine`` after iterative back-projection, x <- max(0, x + upsample(y - A x)), upsampling by B-spline.

    Irani and Peleg 1991, "Improving resolution by image registration". It is told the operator, which nobody knows of
    a real scan, and so is the honest baseline of an evaluation. Keeping x at 0 or above, which helps every operator,
    is a must for those that end in a magnitude: where A x is negative before it, the plain iteration diverges.

    Args:
        coarse: y, the measured slices, ``(N, 1, H, W)`` float32, counted from the intensity of no signal.
        fine: where x starts, ``(N, 1, factor * H, factor * W)`` float32, in the same units.
        operator: A, from ``acquisition.operators.OPERATORS``.
    """
    for _ in range(iterations):
        residual = coarse - operator(fine, factor)
        fine = (fine + torch.from_numpy(refine(residual.numpy(), (1, 1, factor, factor)))).clamp(min=0)
    return fine
