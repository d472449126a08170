"""What is compared: the slices of the coarse scan, and those of sharp scans on a grid that many times as fine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.acquisition.operators import kspace_crop_to
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale


def read_slices(path: Path, axis: str = "k") -> tuple[torch.Tensor, tuple[float, float]]:
    """Return the slices of a scan across ``axis`` with content, and the spacing of their rows and columns in mm.

    The slices are ``(N, H, W)`` float32 in shares of the robust range, zero still zero.

    Raises:
        InputError: not a scan, or constant.
    """
    volume = read_volume(path)
    try:
        span = IntensityScale.of(volume.voxels).span
    except ValueError:
        raise InputError(f"{path.name} is constant; give a scan.") from None
    position = "kji".index(axis)
    slices = np.moveaxis(volume.voxels, position, 0).astype(np.float32) / span
    content = slices.std(axis=(1, 2))
    steps = tuple(step for step, name in zip(reversed(volume.spacing), "kji") if name != axis)
    return torch.from_numpy(slices[content > 0.5 * content.max()]), steps


def read_sharp_slices(paths: Sequence[Path], fine_spacing: tuple[float, float], axis: str = "k") -> list[torch.Tensor]:
    """Return the slices of each sharp scan on a grid of ``fine_spacing`` mm: finer ones lose the outer k-space.

    Raises:
        InputError: a scan is coarser than that by more than 10 %.
    """
    stacks = []
    for path in paths:
        slices, spacing = read_slices(path, axis)
        ratios = [has / wanted for has, wanted in zip(spacing, fine_spacing)]
        if max(ratios) > 1.1:
            raise InputError(
                f"{path.name} has voxels of {max(spacing):.2f} mm, coarser than the {max(fine_spacing):.2f} mm that"
                " the factor asks for; give finer scans or a smaller factor."
            )
        size = tuple(round(n * min(1.0, ratio)) for n, ratio in zip(slices.shape[1:], ratios))
        stacks.append(kspace_crop_to(slices[:, None], size)[:, 0] if size != tuple(slices.shape[1:]) else slices)
    return stacks
