"""A head of flat tissues, as a scanner would store it with noise."""

from __future__ import annotations

import numpy as np
import torch

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.operators import kspace_resized
from SuperResolutionLib.geometry.volume import Volume

SCALP, SKULL, FLUID, GREY, WHITE, NUCLEI = 850, 80, 250, 560, 720, 610
OVERSAMPLING = 4
INSIDE = 5
"""Voxels from what counts as flat to the next edge."""


def head(size: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """Return a slice ``(1, size, size)``, float32, and where its white and grey matter is flat, bool."""
    side = size * OVERSAMPLING
    x = (np.arange(side) + 0.5) / side * 2 - 1
    y = x[:, None]

    def ellipse(across: float, down: float, width: float, height: float) -> np.ndarray:
        return ((x - across) / width) ** 2 + ((y - down) / height) ** 2 < 1

    tissue = np.zeros((side, side))
    for value, width, height in ((SCALP, 0.78, 0.92), (SKULL, 0.73, 0.87), (FLUID, 0.69, 0.83)):
        tissue[ellipse(0, 0, width, height)] = value
    around = np.arctan2(y, x)
    folded = np.hypot(x / 0.67, y / 0.81) + 0.035 * np.sin(14 * around) + 0.02 * np.sin(31 * around)
    tissue[folded < 1], tissue[folded < 0.86] = GREY, WHITE
    for left_or_right in (-1, 1):
        tissue[ellipse(0.14 * left_or_right, -0.1, 0.07, 0.28)] = FLUID
        tissue[ellipse(0.3 * left_or_right, 0.12, 0.12, 0.18)] = NUCLEI
    blocks = tissue.reshape(size, OVERSAMPLING, size, OVERSAMPLING).swapaxes(1, 2).reshape(size, size, -1)
    whole = torch.from_numpy(np.ptp(blocks, axis=-1) > 0)[None].float()
    near_edges = torch.nn.functional.max_pool2d(whole, 2 * INSIDE + 1, 1, INSIDE).bool().numpy()
    mean = blocks.mean(axis=-1)[None].astype(np.float32)
    return mean, ~near_edges & (mean >= GREY) & (mean <= WHITE)


def noisy_head(percent: float, zero_filled: bool = False, size: int = 192, seed: int = 0) -> Volume:
    """Return the head with Rician noise of ``percent`` of its brightest tissue, 16-bit, 1 x 1 x 5 mm.

    Args:
        zero_filled: half of the matrix is acquired, noise included, and filled up with zeros to ``size``.
    """
    slices = torch.from_numpy(head(size)[0])
    sigma, generator = percent / 100 * SCALP, torch.Generator().manual_seed(seed)
    if zero_filled:
        acquired = kspace_resized(slices, (size // 2, size // 2))
        noise = torch.randn((2, *acquired.shape), generator=generator) * sigma
        stored = kspace_resized(acquired + torch.complex(*noise), (size, size)).abs()
    else:
        stored = add_rician_noise(slices, sigma, generator)
    return Volume(np.rint(stored.numpy()).astype(np.int16), np.diag([1.0, 1.0, 5.0, 1.0]), "MR")
