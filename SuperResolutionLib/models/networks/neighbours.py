"""What a network is shown beside the image that it refines: those on either side, how near they lie, and the noise."""

from __future__ import annotations

import torch

TYPICAL_NOISE = 0.05
"""The unit in which the noise is told, a share of the intensity range."""
FARTHEST_APART = 4.0
"""Slices farther apart than this, in pixels of the slice plane, are not shown: too much lies between."""
TOLD = 2


def neighbour_offsets(neighbours: int) -> list[int]:
    """Return which images the channels are, counted from the one that is refined: 0, -1, 1, -2, 2 and so on."""
    return [0, *(side * distance for distance in range(1, neighbours + 1) for side in (-1, 1))]


def slice_channels(neighbours: int) -> int:
    """Return how many channels a slice-plane network takes that sees so many slices on either side."""
    return 1 + 2 * neighbours + TOLD if neighbours else 1


def shown_images(channels: int) -> int:
    """Return how many of a slice-plane network's input channels are images."""
    return channels - TOLD if channels > 1 else 1


def with_told(slices: torch.Tensor, noise: float, apart: float) -> torch.Tensor:
    """Return ``(N, C, H, W)``: slices and those beside them, and what else a slice-plane network is told of them.

    That is, in two constant channels, the noise in units of ``TYPICAL_NOISE``, and how near the slices lie,
    ``1 / (1 + apart)``, or 0 where none beside is shown.

    Args:
        slices: ``(N, 1 + 2 * neighbours, H, W)``, normalised, in the order of ``neighbour_offsets``.
        noise: its SD. apart: the distance of the slices in pixels, 0 where the slice itself stands for them.
    """
    nearness = 1 / (1 + apart) if apart else 0.0
    told = slices.new_tensor([noise / TYPICAL_NOISE, nearness])[:, None, None]
    return torch.cat([slices, told.expand(len(slices), -1, *slices.shape[-2:])], dim=1)


def alone(slices: torch.Tensor, neighbours: int) -> torch.Tensor:
    """Return ``(N, slice_channels(neighbours), H, W)`` of slices ``(N, 1, H, W)`` of which nothing else is known."""
    return with_told(slices.expand(-1, 1 + 2 * neighbours, -1, -1), 0.0, 0.0) if neighbours else slices
