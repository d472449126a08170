"""What a slice-plane network is shown of a stack: each slice, and those on either side where they are near."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.intensity import IntensityScale
from ..models.networks.neighbours import FARTHEST_APART, neighbour_offsets, with_told


@dataclass(frozen=True)
class ShownSlices:
    """Slices as a network's input; past the ends of the stack the last slice repeats.

    Attributes:
        slices: ``(K, H, W)``, the whole stack, in the scan's units. scale: of its intensities.
        neighbours: how many the network sees on either side. noise: its SD, normalised by ``scale``.
        apart: the distance of the slices in pixels; beyond ``FARTHEST_APART`` none beside is shown.
    """

    slices: np.ndarray
    scale: IntensityScale
    neighbours: int
    noise: float
    apart: float

    def __call__(self, start: int, stop: int) -> torch.Tensor:
        """Return some slices as ``(N, C, H, W)`` float32, each itself in channel 0; see ``neighbours.with_told``."""
        if not self.neighbours:
            return torch.from_numpy(self.scale.normalise(self.slices[start:stop]))[:, None]
        near = len(self.slices) > 1 and self.apart <= FARTHEST_APART
        first, last = max(0, start - self.neighbours), min(len(self.slices), stop + self.neighbours)
        some = torch.from_numpy(self.scale.normalise(self.slices[first:last]))
        offsets = torch.tensor(neighbour_offsets(self.neighbours)) if near else torch.zeros(1 + 2 * self.neighbours)
        beside = (torch.arange(start, stop)[:, None] + offsets.long()).clamp(0, len(self.slices) - 1) - first
        return with_told(some[beside], self.noise, self.apart if near else 0.0)


def distance_in_pixels(spacing: tuple[float, float, float], slice_axis: int) -> float:
    """Return the distance of the slices over the side of a square pixel of the area of theirs.

    Args:
        spacing: in mm along i, j and k. slice_axis: 0, 1 or 2 for i, j or k.
    """
    down, across = (side for axis, side in enumerate(spacing) if axis != slice_axis)
    return spacing[slice_axis] / math.sqrt(down * across)
