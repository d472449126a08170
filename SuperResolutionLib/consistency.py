"""Data consistency: the band that the scanner measured is put back where the network moved it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .acquisition import area_average

REPEATS = 3


@dataclass(frozen=True)
class HeldBand:
    """The low-pass band in which all plausible acquisition operators agree, held up to the noise.

    On a real scan the operator is not known: a box average, a cubic kernel and a k-space crop differ by 10 % at half
    the input's Nyquist frequency, and projecting with the wrong one costs 1 dB. Well below it they agree, so only that
    band is held: ``low_pass(A(result)) = low_pass(input)``, with a Gaussian low-pass and the box average as ``A``.

    Attributes:
        width: the Gaussian's half-amplitude frequency, as a share of the input's Nyquist frequency.
        noise: SD of the input's noise, normalised. A deviation below twice the noise that passes the low-pass is
            left: to match the input closer than that would put its noise back.
    """

    width: float
    noise: float = 0.0

    @property
    def tolerance(self) -> float:
        """Twice the SD that white noise of SD ``noise`` has after the low-pass, normalised."""
        return 2 * self.noise / (2 * math.sqrt(math.pi) * self._sigma)

    @property
    def _sigma(self) -> float:
        # exp(-2 (pi sigma f)^2) = 1/2 at f = width / 2 cycles per voxel
        return math.sqrt(2 * math.log(2)) / (math.pi * self.width)

    def deviation(self, result: torch.Tensor, measured: torch.Tensor, factor: int) -> torch.Tensor:
        """Return, ``(N, 1, H, W)``, by how much ``result`` misses ``measured`` in the band."""
        return self._low_pass(measured - area_average(result, factor))

    def project(self, result: torch.Tensor, measured: torch.Tensor, factor: int) -> torch.Tensor:
        """Return ``result`` ``(N, 1, factor * H, factor * W)`` with the band of ``measured`` ``(N, 1, H, W)``."""
        deviation = self.deviation(result, measured, factor)
        correction = torch.zeros_like(measured)
        for _ in range(REPEATS):
            left = deviation - self._low_pass(_upsampled_and_averaged(correction, factor))
            beyond_noise = torch.sign(left) * (left.abs() - self.tolerance).clamp(min=0)
            if not beyond_noise.any():
                break
            correction = correction + beyond_noise
        if not correction.any():
            return result
        return result + _upsampled(correction, factor)

    def _low_pass(self, image: torch.Tensor) -> torch.Tensor:
        sigma = self._sigma
        for axis in (-2, -1):
            radius = min(math.ceil(3 * sigma), image.shape[axis] - 1)
            taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=image.device) / sigma) ** 2)
            kernel = (taps / taps.sum()).reshape((1, 1, -1, 1) if axis == -2 else (1, 1, 1, -1))
            padding = (0, 0, radius, radius) if axis == -2 else (radius, radius, 0, 0)
            image = F.conv2d(F.pad(image, padding, mode="reflect"), kernel)
        return image


def _upsampled(image: torch.Tensor, factor: int) -> torch.Tensor:
    return F.interpolate(image, scale_factor=factor, mode="bicubic", align_corners=False)


def _upsampled_and_averaged(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return ``area_average(_upsampled(image))`` by one small kernel, as both are linear and shift-invariant."""
    impulse = torch.zeros(1, 1, 5, 5, device=image.device)
    impulse[..., 2, 2] = 1
    kernel = area_average(_upsampled(impulse, factor), factor)
    return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), kernel)


def noise_level(slices: torch.Tensor) -> float:
    """Return the SD of the noise in ``(N, 1, H, W)`` slices, in their units; 0 where there is none to see.

    The median absolute Haar detail (Donoho and Johnstone 1994) sees anatomy as well as noise on coarse slices, so it
    is taken in each block of 16 x 16 voxels and the quietest tenth of the blocks that are not constant decides.
    """
    height, width = (size // 2 for size in slices.shape[-2:])
    if min(height, width) < 8:
        return 0.0
    corners = [slices[..., y : y + 2 * height : 2, x : x + 2 * width : 2] for y in (0, 1) for x in (0, 1)]
    detail = (corners[0] - corners[1] - corners[2] + corners[3]).abs() / 2
    blocks = detail.unfold(-2, 8, 8).unfold(-2, 8, 8).reshape(-1, 64)
    levels = blocks.median(dim=1).values / 0.6745
    levels = levels[(blocks > 0).float().mean(dim=1) > 0.5]
    return float(levels.quantile(0.1)) if len(levels) else 0.0
