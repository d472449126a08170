"""The methods that are compared: interpolations, two baselines that are told what nobody knows, and ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np
import torch

from ..geometry.interpolation import back_project, interpolate
from ..geometry.line_weights import INTERPOLATORS
from ..geometry.volume import Volume
from .metrics import psnr
from .truths import Truth, blurred, operator_of

METHOD_LABELS = {
    "nearest": "Nearest",
    "linear": "Linear",
    "bspline": "B-spline",
    "lanczos": "Lanczos",
    "back-projection": "B-spline + back-projection",
    "gaussian": "B-spline + best Gaussian",
    "ours": "SuperResolution",
}
GAUSSIANS = (0.25, 0.35, 0.45, 0.55, 0.7, 0.85, 1.0, 1.3)
Upscaler = Callable[[Volume, tuple[int, int, int], int], Volume]


def upscaled(
    truth: Truth, stack: Volume, degradation: str, method: str, mask: np.ndarray, ours: Upscaler | None
) -> Volume:
    """Return the scored slices of the coarse ``stack`` upscaled to the grid of the truth, in the scan's scalar type.

    Args:
        degradation: how ``stack`` was made; only back-projection is told.
        method: of ``METHOD_LABELS``.
        mask: the foreground of the true slices, over which the best Gaussian is chosen.
        ours: the method "ours", see ``evaluate``.

    Raises:
        ValueError: ``ours`` did not return the grid of the truth, or is None where it is to run.
    """
    coarse = truth.chosen(stack)
    if method in INTERPOLATORS:
        result = interpolate(coarse, truth.factors, method)
    elif method == "back-projection":
        result = _back_projected(truth, coarse, degradation)
    elif method == "gaussian":
        result = _best_gaussian(truth, coarse, mask)
    elif ours is not None:
        result = ours(stack, truth.factors, truth.step)
    else:
        raise ValueError(f"the method {method} was not given")
    matrix = truth.volume.ijk_to_ras
    if result.dimensions != truth.volume.dimensions or not np.allclose(result.ijk_to_ras, matrix, rtol=0, atol=1e-4):
        raise ValueError(f"the method {method} did not return the grid of the truth")
    return Volume(truth.stored(result.voxels), matrix, truth.volume.modality)


def _back_projected(truth: Truth, coarse: Volume, degradation: str) -> Volume:
    start = interpolate(coarse, truth.factors, "bspline")
    measured, begun = (
        torch.from_numpy(truth.slices_of(volume).astype(np.float32) - np.float32(truth.zero))[:, None]
        for volume in (coarse, start)
    )
    fine = back_project(measured, begun, operator_of(degradation), truth.factor)[:, 0].numpy() + np.float32(truth.zero)
    return replace(start, voxels=np.moveaxis(fine, 0, 2 - truth.across))


def _best_gaussian(truth: Truth, coarse: Volume, mask: np.ndarray) -> Volume:
    """Return the B-spline result after that Gaussian, of ``GAUSSIANS`` coarse voxels SD, which suits the truth best."""
    start = interpolate(coarse, truth.factors, "bspline")
    true = truth.slices_of(truth.volume)
    candidates = [start.voxels, *(blurred(start.voxels, truth.across, sigma * truth.factor) for sigma in GAUSSIANS)]
    best = max(candidates, key=lambda voxels: psnr(np.moveaxis(voxels, 2 - truth.across, 0), true, 1.0, mask))
    return replace(start, voxels=best)
