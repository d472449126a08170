"""How steep the edges of a result are: sharpness by itself, whatever else is right or wrong."""

from __future__ import annotations

import numpy as np
import torch

from ..upscaling.consistency import low_pass

GRADIENT_SCALE = 0.5
"""SD, in pixels, of the Gaussian before gradients are taken: enough for single pixels of noise to make weak edges."""
STEEPEST = 0.1
"""Share of the pixels, those where the truth is steepest, that is looked at."""


def edge_strength(result: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean gradient of ``result`` where the truth is steepest, as a share of the truth's there.

    1 is as steep as the truth, less is softer. Only how steep it is counts there, not which way it goes: noise and
    drawn texture raise it too, so that it says nothing without a measure of fidelity beside it.

    Args:
        result, truth: slices ``(N, H, W)`` of one scan, in the same units.
    """
    ours, true = _gradient(result), _gradient(truth)
    steepest = true >= np.quantile(true, 1 - STEEPEST)
    return float(ours[steepest].mean(dtype=np.float64) / true[steepest].mean(dtype=np.float64))


def _gradient(images: np.ndarray) -> np.ndarray:
    smooth = low_pass(torch.from_numpy(np.array(images, np.float32))[:, None], GRADIENT_SCALE)
    rows, columns = torch.gradient(smooth[:, 0], dim=(-2, -1))
    return torch.hypot(rows, columns).numpy()
