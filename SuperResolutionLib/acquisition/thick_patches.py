"""Patches of slices made thick along one of their own axes: what a reformat through thick slices shows, and its truth.

Within a slice a scan is sharp in two directions, so 2-D scans teach how thick slices look (Zhao et al. 2021, "SMORE: a
self-supervised anti-aliasing and super-resolution algorithm for MRI using deep learning").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .slice_profile import thick_slices

MOST_SLICES = 32
AREA = 1024  # thick voxels of a patch


def slices_within(rows: int, spacing: float) -> int:
    """Return how many thick slices a patch has that spans at most ``rows``, ``spacing`` rows from each to the next."""
    return min(MOST_SLICES, int((rows - 1) / spacing))


@dataclass(frozen=True)
class ThinPatch:
    """Some rows of a strip of an image, each of which is a thin slice.

    Attributes:
        strip: ``(H, W)`` float32, all rows of the image: a thick slice at the patch's edge sees beyond it.
        top, rows: the patch's first row, and how many it has.
    """

    strip: torch.Tensor
    top: int
    rows: int

    @property
    def thin(self) -> torch.Tensor:
        """The patch, ``(rows, W)``."""
        return self.strip[self.top : self.top + self.rows]

    def thick(self, slices: int, spacing: float, thickness: float, profile: str = "gaussian") -> torch.Tensor:
        """Return the patch as ``(slices, W)``; the arguments are those of ``slice_profile.thick_slices``."""
        return thick_slices(self.strip, self.top, self.rows, slices, spacing, thickness, profile)


def draw_patch(image: torch.Tensor, rows: int, slices: int, random: np.random.Generator) -> ThinPatch:
    """Return a patch at a random place of an ``image`` ``(H, W)``, as wide as ``slices`` thick ones of ``AREA``."""
    columns = min(AREA // slices, image.shape[1])
    top, left = (int(random.integers(n)) for n in (image.shape[0] - rows + 1, image.shape[1] - columns + 1))
    return ThinPatch(image[:, left : left + columns].float(), top, rows)


def flipped_alike(
    thick: torch.Tensor, thin: torch.Tensor, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both, ``(K, W)`` and ``(H, W)``, flipped along the same axes: none, either or both, at random."""
    flips = [axis for axis in (0, 1) if random.integers(2)]
    return thick.flip(flips), thin.flip(flips)
