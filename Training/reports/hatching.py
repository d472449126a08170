"""How much of a regular pattern, one that repeats at every coarse voxel, is in the smooth tissue of a result.

It is looked for where the truth is smooth, in windows of 24 x 24 fine voxels. In their mean power spectrum a pattern
with that period stands out at the multiples of the coarse sampling frequency; texture and noise, wherever they come
from, do not know the coarse grid and are as strong beside these frequencies as at them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from Training.losses.critic_view import local_deviation

SIDE = 24
SMOOTH = 0.06
BESIDE = 2
"""Bins from a peak to those that it is compared with: the main lobe of the Hann window ends there."""


@dataclass(frozen=True)
class Hatching:
    """``peak``: mean power at the lattice's frequencies over that beside them, in dB, 0 where there is no pattern.
    ``amplitude``: SD of the pattern that this excess amounts to, in the images' units. ``windows``: how many were
    looked at."""

    peak: float
    amplitude: float
    windows: int


def hatching(images: np.ndarray, truth: np.ndarray, mask: np.ndarray, factor: int) -> Hatching | None:
    """Return the pattern in the smooth tissue of ``images``; None where no window is smooth.

    Args:
        images, truth: ``(N, H, W)`` in the networks' units, from whole coarse voxels on. mask: the foreground.
        factor: fine voxels to a coarse one, a divisor of 24.
    """
    rough = (local_deviation(torch.from_numpy(truth).float()[:, None]) > SMOOTH) | ~torch.from_numpy(mask)[:, None]
    smooth = F.max_pool2d(rough.float(), SIDE, SIDE // 2)[:, 0] == 0
    windows = torch.from_numpy(images).float().unfold(1, SIDE, SIDE // 2).unfold(2, SIDE, SIDE // 2)[smooth]
    if not len(windows):
        return None
    windows = _without_trend(windows.double())
    taper = torch.hann_window(SIDE, periodic=True, dtype=torch.double)
    power = torch.fft.fft2(windows * taper[:, None] * taper).abs().square().mean(dim=0)
    step = SIDE // factor
    at, beside = [], []
    for row in range(0, SIDE, step):
        for column in range(0, SIDE, step):
            if row or column:
                at.append(power[row, column])
                beside.append(_ring(power, row, column).log().mean().exp())
    at, beside = float(sum(at)), float(sum(beside))
    amplitude = math.sqrt(max(0.0, at - beside)) / float(taper.sum()) ** 2
    return Hatching(10 * math.log10(at / beside), amplitude, len(windows))


def _without_trend(windows: torch.Tensor) -> torch.Tensor:
    """Return ``(M, SIDE, SIDE)`` less the plane that fits each best: a ramp would look like a pattern."""
    ramp = torch.linspace(-1, 1, SIDE, dtype=windows.dtype)
    windows = windows - windows.mean(dim=(1, 2), keepdim=True)
    for axis in (ramp[:, None], ramp[None, :]):
        slope = (windows * axis).mean(dim=(1, 2), keepdim=True) / ramp.square().mean()
        windows = windows - slope * axis
    return windows


def _ring(power: torch.Tensor, row: int, column: int) -> torch.Tensor:
    """Return the sixteen bins around one, two bins off."""
    around = torch.arange(-BESIDE, BESIDE + 1)
    square = power[(row + around)[:, None] % SIDE, (column + around) % SIDE]
    edge = torch.ones_like(square, dtype=torch.bool)
    edge[1:-1, 1:-1] = False
    return square[edge]
