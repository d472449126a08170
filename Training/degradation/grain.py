"""The grain of noise: its spectrum, and how much of it a survey of the scan sees."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Union

import numpy as np
import torch
from monai.config import KeysCollection

from Training.degradation.presets import RandSliceTransform, frequencies

Random = Union[np.random.Generator, np.random.RandomState]


def low_pass(frequency: torch.Tensor, random: Random) -> torch.Tensor:
    """Return 1 up to a random share, 0.5 to 0.95, of the Nyquist frequency and 0 beyond, as zero-filling leaves it."""
    return (frequency.abs() <= random.uniform(0.5, 0.95) / 2).float()


def coloured(white: torch.Tensor, amplitude: torch.Tensor) -> torch.Tensor:
    """Return white noise ``(..., H, W)``, real or complex, filtered by ``amplitude``; its SD stays."""
    noise = torch.fft.ifft2(torch.fft.fft2(white) * (amplitude / amplitude.square().mean().sqrt()))
    return noise if white.is_complex() else noise.real


def seen_share(amplitude: torch.Tensor) -> float:
    """Return the SD of the diagonal Haar detail of noise of SD 1 that has this spectrum, which is 1 if it is white.

    That is what ``acquisition.noise.noise_level`` looks at.
    """
    down, along = frequencies(tuple(amplitude.shape))
    detail = (1 - torch.cos(2 * torch.pi * down)) * (1 - torch.cos(2 * torch.pi * along))
    power = amplitude.square()
    return float(((power * detail).mean() / power.mean()).sqrt())


class RandNoised(RandSliceTransform):
    """Noise that tells how strong it is.

    Args:
        keys: coarse slices or patches ``(C, H, W)``; every channel has noise of its own.
        sigma: lowest and highest SD, in the image's units.
        prob: the chance that there is noise.
        told: the key under which the SD is handed on that a survey of the scan finds; 0 where there is no noise.
    """

    def __init__(
        self,
        keys: KeysCollection,
        sigma: tuple[float, float],
        prob: float = 0.1,
        allow_missing_keys: bool = False,
        told: str = "noise",
    ):
        super().__init__(keys, prob, allow_missing_keys)
        self.sigma, self.told = sigma, told

    def randomize(self, data: None = None) -> None:
        """Draw whether there is noise, and how much."""
        super().randomize(None)
        self._sigma, self._seen = self.R.uniform(*self.sigma), 0.0

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        return {**super().__call__(data), self.told: torch.tensor(self._seen)}
