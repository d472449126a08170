"""Cubic convolution onto a grid a whole number of times as fine (Keys 1981), by the half-voxel rule.

PyTorch's own takes five times as long on a CPU as one convolution that gives the fine pixels of a coarse one as
channels, so that there it is that.
"""

from __future__ import annotations

import functools

import torch
from torch.nn import functional as F

REACH = 2
"""Coarse pixels on either side that a fine one depends on."""


def cubic_upsampled(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return ``image`` ``(N, 1, H, W)`` as ``(N, 1, factor * H, factor * W)``; beyond the edges they repeat."""
    if image.device.type == "cpu":
        return shuffled(_fine_pixels(image, factor), factor)
    return F.interpolate(image, scale_factor=factor, mode="bicubic", align_corners=False)


def added_to_cubic(residual: torch.Tensor, image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return ``cubic_upsampled(image)`` plus a residual whose fine pixels are channels, as of ``shuffled``."""
    if image.device.type == "cpu":
        return shuffled(residual + _fine_pixels(image, factor), factor)
    return shuffled(residual, factor) + cubic_upsampled(image, factor)


def shuffled(channels: torch.Tensor, factor: int) -> torch.Tensor:
    """Return ``(N, factor * factor, H, W)`` as ``(N, 1, factor * H, factor * W)``: the pixel shuffle to one channel."""
    if channels.device.type != "cpu":
        return F.pixel_shuffle(channels, factor)
    count, _, height, width = channels.shape
    # PyTorch's takes twice as long where the channels lie last in memory.
    split = channels.permute(0, 2, 3, 1).reshape(count, height, width, factor, factor)
    return split.permute(0, 1, 3, 2, 4).reshape(count, 1, factor * height, factor * width)


def _fine_pixels(image: torch.Tensor, factor: int) -> torch.Tensor:
    padded = F.pad(image, (REACH,) * 4, mode="replicate")
    with torch.autocast(image.device.type, enabled=False):
        return F.conv2d(padded, _kernels(factor, image.dtype))


@functools.lru_cache
def _kernels(factor: int, dtype: torch.dtype) -> torch.Tensor:
    """Return ``(factor * factor, 1, 5, 5)``: what each fine pixel of a coarse one takes of those around it."""
    with torch.inference_mode(False), torch.no_grad():  # Training differentiates through what the first caller may not.
        impulse = torch.zeros(1, 1, 2 * REACH + 1, 2 * REACH + 1, dtype=torch.float64)
        impulse[..., REACH, REACH] = 1
        answer = F.interpolate(impulse, scale_factor=factor, mode="bicubic", align_corners=False)
        kernels = F.pixel_unshuffle(answer, factor).swapaxes(0, 1).flip(-2, -1)
        return kernels.to(dtype, memory_format=torch.channels_last)
