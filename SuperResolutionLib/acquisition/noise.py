"""The noise of a scan: how strong it is, and how to add it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

BLOCK = 8
STANDARD_KERNEL_F50 = 0.4
"""Where the MTF of a CT's standard kernel is 0.5, in cycles per pixel."""


def noise_level(slices: np.ndarray, left_out: np.ndarray | None = None) -> float:
    """Return the SD of the noise in ``(N, H, W)`` float32 slices, in their units; 0 where there is none to see.

    The median absolute Haar detail (Donoho and Johnstone 1994) sees anatomy as well as noise on coarse slices, so it
    is taken in each block of 16 x 16 voxels and the quietest tenth of the blocks that are not constant decides.

    Args:
        left_out: ``(N, H, W)`` bool, voxels that were not measured: blocks with one of them are not looked at.
    """
    rows, columns = (size // (2 * BLOCK) for size in slices.shape[1:])
    if min(rows, columns) < 1:
        return 0.0
    height, width = 2 * BLOCK * rows, 2 * BLOCK * columns
    corners = [slices[:, y:height:2, x:width:2] for y in (0, 1) for x in (0, 1)]
    detail = np.abs(corners[0] - corners[1] - corners[2] + corners[3]) / 2
    blocks = detail.reshape(-1, rows, BLOCK, columns, BLOCK).swapaxes(2, 3).reshape(-1, BLOCK * BLOCK)
    if left_out is not None:
        sides = left_out[:, :height, :width].reshape(-1, rows, 2 * BLOCK, columns, 2 * BLOCK)
        blocks = blocks[~sides.any(axis=(2, 4)).ravel()]
    blocks = blocks[(blocks > 0).mean(axis=1) > 0.5]
    if not len(blocks):
        return 0.0
    middle = BLOCK * BLOCK // 2 - 1
    levels = np.partition(blocks, middle, axis=1)[:, middle] / np.float32(0.6745)
    return _tenth(np.sort(levels))


def _tenth(ascending: np.ndarray) -> float:
    # Rounded as PyTorch's quantile of float32, with which the noise in all published results was measured.
    rank = np.float32(0.1) * np.float32(len(ascending) - 1)
    below, above = ascending[int(rank)], ascending[min(int(rank) + 1, len(ascending) - 1)]
    share, step = rank - np.float32(int(rank)), float(above - below)
    middle = float(below) + float(share) * step if share < 0.5 else float(above) - float(np.float32(1) - share) * step
    return float(np.float32(middle))


def add_rician_noise(
    magnitude: torch.Tensor, sigma: torch.Tensor | float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Return the magnitude of ``magnitude`` plus complex Gaussian noise of SD ``sigma`` per channel.

    Gudbjartsson and Patz 1995, "The Rician distribution of noisy MRI data". ``sigma`` is in the image's units and
    broadcasts against it; zero intensity must mean no signal.
    """
    import torch

    real, imaginary = (
        torch.randn(magnitude.shape, generator=generator, dtype=magnitude.dtype) * sigma for _ in range(2)
    )
    return torch.hypot(magnitude + real, imaginary)


def add_quantum_noise(
    slices: torch.Tensor, sigma: float, generator: torch.Generator | None = None, f50: float = STANDARD_KERNEL_F50
) -> torch.Tensor:
    """Return slices ``(..., H, W)`` of a CT plus noise of SD ``sigma``, in their units, with the grain of a kernel.

    Args:
        f50: where the kernel's MTF, a Gaussian, is 0.5, in cycles per pixel.
    """
    import torch

    down, along = (torch.fft.fftfreq(side, dtype=torch.float64) for side in slices.shape[-2:])
    amplitude = quantum_noise_amplitude(torch.hypot(down[:, None], along[None]), f50)
    white = torch.fft.fft2(torch.randn(slices.shape, generator=generator, dtype=torch.float64))
    grain = torch.fft.ifft2(white * (amplitude / amplitude.square().mean().sqrt())).real
    return slices + (sigma * grain).to(slices)


def quantum_noise_amplitude(frequency: torch.Tensor, f50: float) -> torch.Tensor:
    """Return the amplitude of quantum noise, as filtered back-projection leaves it, at a frequency.

    Its square, the power spectrum, is the ramp times the square of the kernel's MTF (Riederer, Pelc and Chesler 1978,
    "The noise power spectrum in computed X-ray tomography").

    Args:
        frequency: cycles per pixel. f50: where the MTF, a Gaussian, is 0.5, in the same unit.
    """
    import torch

    return frequency.sqrt() * torch.exp(-math.log(2) * (frequency / f50) ** 2)
