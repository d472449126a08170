"""Data consistency: what the scanner measured is put back where the network moved it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ..acquisition.operators import area_average
from ..acquisition.slice_profile import profile_weights
from ..models.networks.cubic import cubic_upsampled

REPEATS = 3
PROFILE = "truncated sinc"
"""The slice profile that is assumed: what it passes lies midway between what a Gaussian and a box of its FWHM do."""


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
        return _low_pass_deviation(self.width)

    def deviation(self, result: torch.Tensor, measured: torch.Tensor, factor: int) -> torch.Tensor:
        """Return, ``(N, 1, H, W)``, by how much ``result`` misses ``measured`` in the band."""
        return self.missed(area_average(result, factor), measured)

    def missed(self, averaged: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        """Return by how much a result whose box average is ``averaged`` misses ``measured`` in the band."""
        return self._low_pass(measured - averaged)

    def project(self, result: torch.Tensor, measured: torch.Tensor, factor: int) -> torch.Tensor:
        """Return ``result`` ``(N, 1, factor * H, factor * W)`` with the band of ``measured`` ``(N, 1, H, W)``."""
        correction = self.correction(area_average(result, factor), measured, factor)
        return result + cubic_upsampled(correction, factor) if correction.any() else result

    def correction(self, averaged: torch.Tensor, measured: torch.Tensor, factor: int) -> torch.Tensor:
        """Return what, upsampled, gives a result whose box average is ``averaged`` the band of ``measured``."""
        deviation = self.missed(averaged, measured)
        correction = F.softshrink(deviation, self.tolerance)  # what lies beyond the noise
        for _ in range(REPEATS - 1):
            left = deviation - self._low_pass(upsampled_and_averaged(correction, factor))
            correction += F.softshrink(left, self.tolerance)
        return correction

    def report(self, residual: float) -> dict:
        """Return what the report says of a result that misses the band by ``residual`` (RMS, normalised)."""
        return _report(self, "voxel average", "the input's", residual)

    def _low_pass(self, image: torch.Tensor) -> torch.Tensor:
        return low_pass(image, self._sigma)


class HeldSlices:
    """What all plausible slice profiles agree in of the acquired slices, held up to the noise.

    The profile of a slice is not known: a Gaussian, a box, a trapezoid and a truncated sinc, and thicknesses that
    differ by a tenth, pass the frequencies near the slices' Nyquist frequency by very different amounts, and to hold
    those by the wrong one makes the result worse. Well below it they agree, so only that band is held:
    ``low_pass(average(fine)) = low_pass(slices)``, with a Gaussian low-pass along the slice axis and ``PROFILE`` as
    the average. The correction is the smallest one, by the pseudo-inverse of the averaging.

    Args:
        places: where the fine rows lie, evenly, ascending, in slices from the first one's centre.
        slices: how many were acquired. thickness: FWHM of their profile, as a share of their spacing.
        width: the low-pass's half-amplitude frequency, as a share of the slices' Nyquist frequency.
        noise: SD of their noise, normalised. A deviation below twice the noise that passes the low-pass is left: to
            match the slices closer than that would put their noise back.
        lowest: the lowest value that there can be, normalised, or None.

    Attributes:
        tolerance: the largest deviation that is left, normalised.
    """

    def __init__(
        self,
        places: np.ndarray,
        slices: int,
        thickness: float,
        width: float,
        noise: float,
        lowest: float | None = None,
    ):
        step = places[1] - places[0] if len(places) > 1 else 1.0
        centres = torch.from_numpy((np.arange(slices) - places[0]) / step)
        average = profile_weights(centres, len(places), thickness / step, PROFILE)
        taps = _low_pass_taps(_low_pass_deviation(width), slices - 1)
        low_pass = np.pad(np.eye(slices), [(0, 0), (len(taps) // 2,) * 2], mode="reflect") if slices > 1 else np.eye(1)
        low_pass = np.lib.stride_tricks.sliding_window_view(low_pass, len(taps), axis=1) @ taps
        self._average = average.numpy().astype(np.float32)
        self._low_pass = low_pass.T.astype(np.float32)
        # Slices that overlap much can hardly be told apart: what only noise would decide is left alone.
        self._spread = torch.linalg.pinv(average, rtol=0.1).numpy().astype(np.float32)
        self.width, self.noise, self.lowest = width, noise, lowest
        self.tolerance = 2 * noise * float(np.sqrt(np.square(taps).sum()))

    def project(self, fine: np.ndarray, slices: np.ndarray) -> None:
        """Correct ``fine`` ``(R, H, W)`` in place so that it agrees with ``slices`` ``(K, H, W)``; both normalised."""
        for _ in range(1 if self.lowest is None else REPEATS):
            for target, deviation in self._deviations(fine, slices):
                beyond = np.sign(deviation) * np.maximum(np.abs(deviation) - self.tolerance, 0)
                target += np.tensordot(self._spread, beyond, 1)
            if self.lowest is not None:
                np.maximum(fine, self.lowest, out=fine)

    def residual(self, fine: np.ndarray, slices: np.ndarray) -> float:
        """Return the RMS by which ``fine`` misses ``slices`` in the band, normalised."""
        squares = sum(
            float(np.square(deviation, dtype=np.float64).sum()) for _, deviation in self._deviations(fine, slices)
        )
        return math.sqrt(squares / slices.size)

    def report(self, residual: float) -> dict:
        """Return what the report says of a result that misses the slices by ``residual`` (RMS, normalised)."""
        return _report(self, f"{PROFILE} slice profile of that thickness", "the slices'", residual)

    def _deviations(self, fine: np.ndarray, slices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for row in range(fine.shape[1]):
            deviation = slices[:, row] - np.tensordot(self._average, fine[:, row], 1)
            yield fine[:, row], np.tensordot(self._low_pass, deviation, 1)


def _report(held: HeldBand | HeldSlices, operator: str, whose: str, residual: float) -> dict:
    return {
        "operator": f"{operator}, Gaussian low-pass",
        "band": f"{whose} band below {held.width:g} of its Nyquist frequency, down to the noise",
        "noise_percent": round(100 * held.noise, 3),
        "tolerance_percent": round(100 * held.tolerance, 3),
        "residual_percent": round(100 * residual, 4),
    }


def _low_pass_deviation(width: float) -> float:
    """Return the SD, in voxels, of the Gaussian that passes half at ``width`` of the Nyquist frequency."""
    # exp(-2 (pi sigma f)^2) = 1/2 at f = width / 2 cycles per voxel
    return math.sqrt(2 * math.log(2)) / (math.pi * width)


def low_pass(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return ``image`` ``(N, 1, H, W)`` after a Gaussian of SD ``sigma`` pixels, mirrored at its edges."""
    for axis in (-2, -1):
        taps = _taps_on(image.device, image.dtype, sigma, image.shape[axis] - 1)
        kernel = taps.reshape((1, 1, -1, 1) if axis == -2 else (1, 1, 1, -1))
        radius = len(taps) // 2
        padding = (0, 0, radius, radius) if axis == -2 else (radius, radius, 0, 0)
        image = F.conv2d(F.pad(image, padding, mode="reflect"), kernel)
    return image


def _low_pass_taps(sigma: float, reach: int) -> np.ndarray:
    """Return the taps of a Gaussian of SD ``sigma`` voxels, which add up to 1, over at most ``reach`` to each side."""
    radius = min(math.ceil(3 * sigma), reach)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return taps / taps.sum()


@functools.lru_cache
def _taps_on(device: torch.device, dtype: torch.dtype, sigma: float, reach: int) -> torch.Tensor:
    with torch.inference_mode(False):  # Training differentiates through what the first caller may not.
        return torch.from_numpy(_low_pass_taps(sigma, reach)).to(device, dtype)


def upsampled_and_averaged(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return ``area_average(cubic_upsampled(image))`` by one small kernel: both are linear and shift-invariant."""
    kernel = _kernel_on(image.device, image.dtype, factor)
    return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), kernel)


@functools.lru_cache
def _kernel_on(device: torch.device, dtype: torch.dtype, factor: int) -> torch.Tensor:
    with torch.inference_mode(False), torch.no_grad():  # As of _taps_on.
        impulse = torch.zeros(1, 1, 5, 5, dtype=dtype)
        impulse[..., 2, 2] = 1
        return area_average(cubic_upsampled(impulse, factor), factor).to(device)
