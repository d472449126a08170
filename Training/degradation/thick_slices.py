"""What scanners leave in thick slices, as reformats through them show it: noise of their own grain, and uneven gains.

Patches are ``(M, K, W)``: ``M`` reformats that lie beside each other in the order of the network's channels
(``neighbour_offsets``), ``K`` slices, ``W`` columns. Values are in signal units, zero meaning no signal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from SuperResolutionLib.models.networks import neighbour_offsets
from Training.degradation.ct import gaussian_mtf
from Training.degradation.grain import coloured, low_pass, seen_share
from Training.degradation.presets import frequencies

ACROSS = 16
"""Reformats that noise is drawn for, so that its grain runs across those that are beside each other, too."""


@dataclass(frozen=True)
class ThickSliceNoise:
    """Draws noise of the grain that reconstruction leaves in the plane of the slices, and says how much of it is seen.

    "mri" noise is Rician: white in half of the patches, else low-passed within the slices as zero-filling leaves it,
    and in a quarter of those along the slice axis, as in 3-D scans. In half of the patches its SD rises or falls along
    the columns, by up to a half at the ends, as coils and parallel imaging have it. "ct" noise is Gaussian, with the
    power spectrum of ``ct.RandQuantumNoised`` within the slices.

    Args:
        kind: "mri" or "ct".
    """

    kind: str

    def __call__(self, thick: torch.Tensor, sigma: float, random: np.random.Generator) -> tuple[torch.Tensor, float]:
        """Return ``thick`` with noise, and its SD as ``acquisition.noise.noise_level`` would see it in the slices.

        ``sigma`` is the SD, in shares of the robust range.
        """
        generator = torch.Generator().manual_seed(int(random.integers(2**31)))
        count, slices, columns = thick.shape
        beside = [ACROSS // 2 + offset for offset in neighbour_offsets(count // 2)]
        white = torch.randn(2, slices, ACROSS, columns, generator=generator)
        down, along = frequencies((ACROSS, columns))
        if self.kind == "ct":
            frequency = torch.hypot(down, along)
            amplitude = frequency.sqrt() * gaussian_mtf(frequency, random.uniform(0.25, 0.6))
            noise = coloured(white[0], amplitude)[:, beside].swapaxes(0, 1)
            return thick + sigma * noise, sigma * seen_share(amplitude) * random.uniform(0.7, 1.0)
        amplitude = torch.ones(ACROSS, columns)
        if random.integers(2):
            amplitude = low_pass(down, random) * low_pass(along, random)
            white = torch.stack([coloured(part, amplitude) for part in white])
            if not random.integers(4):
                white = _filtered_along(white, low_pass(torch.fft.fftfreq(slices), random))
        real, imaginary = white[:, :, beside].swapaxes(1, 2) * sigma * self._unevenness(columns, random)
        # Where there is air, the magnitude's SD is two thirds of sigma, and the quietest blocks are what is measured.
        return torch.hypot(thick + real, imaginary), sigma * seen_share(amplitude) * random.uniform(0.5, 0.9)

    def _unevenness(self, columns: int, random: np.random.Generator) -> torch.Tensor:
        rise = random.uniform(-0.5, 0.5) if random.integers(2) else 0.0
        return 1 + rise * torch.linspace(-1, 1, columns)


def uneven_gains(thick: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Return ``thick`` with gains of 0.8 to 1.2: odd and even slices differ, or all slices at random."""
    most, slices = random.uniform(0, 0.2), thick.shape[1]
    if random.integers(2):
        gains = 1 + most * np.where(np.arange(slices) % 2, 1, -1)
    else:
        gains = 1 + random.uniform(-most, most, slices)
    return thick * torch.from_numpy(gains).to(thick)[:, None]


def misplaced(images: torch.Tensor, random: np.random.Generator, axes: tuple[int, ...] = (-1,)) -> torch.Tensor:
    """Return ``images`` with each beside the first moved along ``axes`` by up to two pixels, and brighter or darker."""
    moved = []
    for image in images[1:]:
        for axis in axes:
            places = torch.arange(image.shape[axis]) + int(random.integers(-2, 3))
            image = image.index_select(axis, places.clamp(0, image.shape[axis] - 1))
        moved.append(image)
    return torch.stack([images[0], *(random.uniform(0.5, 1.5) * image for image in moved)])


def _filtered_along(noise: torch.Tensor, amplitude: torch.Tensor) -> torch.Tensor:
    """Return ``noise`` ``(2, K, M, W)`` filtered along ``K``, of its SD."""
    amplitude = (amplitude / amplitude.square().mean().sqrt())[:, None, None]
    return torch.fft.ifft(torch.fft.fft(noise, dim=1) * amplitude, dim=1).real
