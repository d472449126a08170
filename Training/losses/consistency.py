"""The term that holds a network's own answer to what was measured."""

from __future__ import annotations

import torch

from SuperResolutionLib.upscaling.consistency import HeldBand


class ConsistencyLoss:
    """How far a network's own answer, before any projection, leaves the band that the program holds.

    Args:
        held_band: the band's width as a share of the input's Nyquist frequency; see ``consistency.HeldBand``.
    """

    def __init__(self, held_band: float = 0.25):
        self.held = HeldBand(held_band)

    def __call__(self, image: torch.Tensor, coarse: torch.Tensor, factor: int) -> torch.Tensor:
        """Return the mean square deviation of ``(N, 1, factor * h, factor * w)`` from ``coarse`` ``(N, 1, h, w)``."""
        return self.held.deviation(image, coarse, factor).square().mean()
