"""A magnitude image's noise: how it comes in, and how much of it there is."""

from __future__ import annotations

import torch


def add_rician_noise(
    magnitude: torch.Tensor, sigma: torch.Tensor | float, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Return the magnitude of ``magnitude`` plus complex Gaussian noise of SD ``sigma`` per channel.

    Gudbjartsson and Patz 1995, "The Rician distribution of noisy MRI data". ``sigma`` is in the image's units and
    broadcasts against it; zero intensity must mean no signal.
    """
    real, imaginary = (
        torch.randn(magnitude.shape, generator=generator, dtype=magnitude.dtype) * sigma for _ in range(2)
    )
    return torch.hypot(magnitude + real, imaginary)


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
