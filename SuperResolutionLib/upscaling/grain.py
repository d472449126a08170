"""Grain: what the network smooths away of the measured noise, and how much of it comes back.

A network takes noise down several times, and the little that it leaves looks like what it was trained to draw:
lines. On an edge nobody sees them; in flat tissue there is nothing else to see. There the scan's own noise, in which no
direction stands out, hides them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..acquisition.operators import area_average
from ..models.networks.cubic import cubic_upsampled
from .consistency import low_pass

IN_FLAT_TISSUE = 0.5
"""The share that comes back in flat tissue where nobody says how much."""
GRADIENT_SCALE, NEIGHBOURHOOD = 0.7, 1.5
"""SD, in voxels, of the Gaussians before a gradient is taken, and over which squares are averaged."""
GRADIENT_COUNTS = 0.5
"""Of the squared gradient against the squared grain. More leaves the grain out of more tissue, and lines in it."""
TINY = 1e-12


@dataclass(frozen=True)
class Grain:
    """Adds to a result a share of what it lacks of the measured slices when it is made coarse again.

    Attributes:
        share: in [0, 1], everywhere; None for half of it in flat tissue alone.
    """

    share: float | None

    @property
    def sentence(self) -> str:
        """Return what is added, in words."""
        if self.share is None:
            return f"{IN_FLAT_TISSUE:g} of the grain that the network takes away, in flat tissue"
        return f"{self.share:g} of the grain that the network takes away" if self.share else "none"

    def added(self, fine: torch.Tensor, measured: torch.Tensor, factor: int) -> torch.Tensor:
        """Return ``fine`` ``(N, 1, factor * H, factor * W)`` with the grain of ``measured`` ``(N, 1, H, W)``."""
        if self.share == 0:
            return fine
        return fine + cubic_upsampled(self.missing(area_average(fine, factor), measured), factor)

    def missing(self, averaged: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        """Return the grain that a result whose box average is ``averaged`` gets, before it is upsampled."""
        lacking = measured - averaged
        return (IN_FLAT_TISSUE * _flatness(averaged, lacking) if self.share is None else self.share) * lacking


def _flatness(coarse: torch.Tensor, lacking: torch.Tensor) -> torch.Tensor:
    """Return 1 where ``coarse`` varies much less than what it lacks, which is then grain, and 0 where much more.

    The two are compared with one another, not with the noise of the scan, which is stronger in some places than others.
    """
    squared_gradient = torch.zeros_like(coarse)
    smooth = low_pass(coarse, GRADIENT_SCALE)
    for axis in (-2, -1):
        if coarse.shape[axis] > 1:
            squared_gradient += torch.gradient(smooth, dim=axis)[0].square()
    grain = low_pass(lacking.square(), NEIGHBOURHOOD)
    return grain / (grain + GRADIENT_COUNTS * low_pass(squared_gradient, NEIGHBOURHOOD) + TINY)
