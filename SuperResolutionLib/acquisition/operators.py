"""How a scanner makes a coarse slice out of a fine one: the acquisition operators.

All operators take ``(N, 1, H, W)`` tensors whose sides are multiples of the factor and obey the half-voxel rule: a
low-resolution voxel covers the ``factor`` high-resolution voxels under it.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def area_average(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return the mean of each ``factor`` x ``factor`` block: a detector that integrates over its voxel."""
    return F.avg_pool2d(image, factor)


def antialiased_bicubic(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return the image decimated by a cubic kernel stretched by ``factor`` (the usual one of the SR literature)."""
    size = (image.shape[-2] // factor, image.shape[-1] // factor)
    return F.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)


def kspace_crop(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Return the magnitude of the image rebuilt from the centre ``1 / factor`` of its k-space, per axis."""
    return kspace_crop_to(image, (image.shape[-2] // factor, image.shape[-1] // factor))


def kspace_crop_to(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return the magnitude of the image rebuilt from the ``size`` central samples of its k-space."""
    return kspace_resized(image, size).abs()


def kspace_resized(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return ``image`` ``(..., H, W)`` as a complex one of ``size``: its k-space is cropped, or padded with zeros.

    The new voxels tile the same box. A bare crop samples at index 0 of each block; the phase ramp moves the samples to
    the block's centre, ``(old size / new size - 1) / 2`` old voxels on (Fourier shift theorem).
    """
    spectrum = torch.fft.fft2(image)
    for axis, new in zip((-2, -1), size):
        old = image.shape[axis]
        kept = min(old, new)
        index = torch.arange(kept, device=image.device) - kept // 2
        ramp = torch.exp(1j * torch.pi * index * (1 / new - 1 / old))
        centre = spectrum.index_select(axis, index % old) * ramp.reshape((-1, 1) if axis == -2 else (-1,))
        shape = list(centre.shape)
        shape[axis] = new
        spectrum = centre.new_zeros(shape).index_copy(axis, index % new, centre)
    return torch.fft.ifft2(spectrum) * (size[0] * size[1] / (image.shape[-2] * image.shape[-1]))


OPERATORS = {"area": area_average, "bicubic": antialiased_bicubic, "kspace": kspace_crop}
