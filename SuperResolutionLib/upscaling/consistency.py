"""Data consistency: what the scanner measured is put back where the network moved it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ..acquisition.operators import area_average
from ..acquisition.slice_profile import profile_weights

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


class HeldSlices:
    """The acquired slices, held: a fine stack averaged with the slice profile is to give them again.

    The profile is taken as a Gaussian. The correction is the smallest one, by the pseudo-inverse of the averaging.

    Args:
        places: where the fine rows lie, evenly, ascending, in slices from the first one's centre.
        slices: how many were acquired. thickness: FWHM of their profile, as a share of their spacing.
        noise: SD of their noise, normalised. A deviation below twice of it is left, and so is one below ``MOST``,
            whichever is smaller.
        lowest: the lowest value that there can be, normalised, or None.

    Attributes:
        tolerance: the largest deviation that is left, normalised.
    """

    MOST = 0.005

    def __init__(self, places: np.ndarray, slices: int, thickness: float, noise: float, lowest: float | None = None):
        step = places[1] - places[0] if len(places) > 1 else 1.0
        centres = torch.from_numpy((np.arange(slices) - places[0]) / step)
        average = profile_weights(centres, len(places), thickness / step)
        self._average = average.numpy().astype(np.float32)
        # Slices that overlap much can hardly be told apart: what only noise would decide is left alone.
        self._spread = torch.linalg.pinv(average, rtol=0.1).numpy().astype(np.float32)
        self.tolerance, self.lowest = min(2 * noise, self.MOST), lowest

    def project(self, fine: np.ndarray, slices: np.ndarray) -> None:
        """Correct ``fine`` ``(R, H, W)`` in place so that it agrees with ``slices`` ``(K, H, W)``; both normalised."""
        for _ in range(1 if self.lowest is None else REPEATS):
            for target, deviation in self._deviations(fine, slices):
                beyond = np.sign(deviation) * np.maximum(np.abs(deviation) - self.tolerance, 0)
                target += np.tensordot(self._spread, beyond, 1)
            if self.lowest is not None:
                np.maximum(fine, self.lowest, out=fine)

    def residual(self, fine: np.ndarray, slices: np.ndarray) -> float:
        """Return the RMS by which ``fine`` misses ``slices``, normalised."""
        squares = sum(
            float(np.square(deviation, dtype=np.float64).sum()) for _, deviation in self._deviations(fine, slices)
        )
        return math.sqrt(squares / slices.size)

    def _deviations(self, fine: np.ndarray, slices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for row in range(fine.shape[1]):
            yield fine[:, row], slices[:, row] - np.tensordot(self._average, fine[:, row], 1)


def _upsampled(image: torch.Tensor, factor: int) -> torch.Tensor:
    return F.interpolate(image, scale_factor=factor, mode="bicubic", align_corners=False)


def _upsampled_and_averaged(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return ``area_average(_upsampled(image))`` by one small kernel, as both are linear and shift-invariant."""
    impulse = torch.zeros(1, 1, 5, 5, device=image.device)
    impulse[..., 2, 2] = 1
    kernel = area_average(_upsampled(impulse, factor), factor)
    return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), kernel)
