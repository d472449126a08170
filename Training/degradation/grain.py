"""The grain of noise: its spectrum, and how much of it a survey of the scan sees."""

from __future__ import annotations

from typing import Union

import numpy as np
import torch

from Training.degradation.presets import frequencies

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
