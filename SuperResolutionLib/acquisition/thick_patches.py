"""Patches of slices made thick along one of their own axes: what a reformat through thick slices shows, and its truth.

Within a slice a scan is sharp in two directions, so 2-D scans teach how thick slices look (Zhao et al. 2021, "SMORE: a
self-supervised anti-aliasing and super-resolution algorithm for MRI using deep learning").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from .slice_profile import thick_slices

MOST_SLICES = 32
AREA = 1024  # thick voxels of a patch
NEAREST_APART = 3.0
"""Slices farther apart than this, in pixels, show no reformats beside each other's: too much lies between."""


def slices_within(rows: int, spacing: float) -> int:
    """Return how many thick slices a patch has that spans at most ``rows``, ``spacing`` rows from each to the next."""
    return min(MOST_SLICES, int((rows - 1) / spacing))


def noise_in_thick(noise: float, spacing: float, thickness: float) -> float:
    """Return the SD that white noise of thin slices has in thick ones, of a box's profile."""
    return noise / math.sqrt(max(1.0, thickness * spacing))


@dataclass(frozen=True)
class ThinPatch:
    """Some rows of a strip of an image, each of which is a thin slice, and of the images beside it.

    Attributes:
        strip: ``(M, H, W)`` float32, the image's first; all rows: a thick slice at the patch's edge sees beyond it.
        top, rows: the patch's first row, and how many it has.
    """

    strip: torch.Tensor
    top: int
    rows: int

    @property
    def thin(self) -> torch.Tensor:
        """The patch of the image itself, ``(rows, W)``."""
        return self.strip[0, self.top : self.top + self.rows]

    def thick(self, slices: int, spacing: float, thickness: float, profile: str = "gaussian") -> torch.Tensor:
        """Return all patches as ``(M, slices, W)``; the arguments are those of ``slice_profile.thick_slices``."""
        return thick_slices(self.strip, self.top, self.rows, slices, spacing, thickness, profile)


def draw_patch(images: torch.Tensor, rows: int, slices: int, random: np.random.Generator) -> ThinPatch:
    """Return a patch at a random place of ``images`` ``(M, H, W)``, as wide as ``slices`` thick ones of ``AREA``."""
    height, width = images.shape[1:]
    columns = min(AREA // slices, width)
    top, left = (int(random.integers(n)) for n in (height - rows + 1, width - columns + 1))
    return ThinPatch(images[..., left : left + columns].float(), top, rows)


def flipped_alike(
    thick: torch.Tensor, thin: torch.Tensor, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both, ``(M, K, W)`` and ``(H, W)``, flipped along the same axes: none, either or both, at random."""
    flips = [axis for axis in (-2, -1) if random.integers(2)]
    return thick.flip(flips), thin.flip(flips)
