"""What is expected before any stack is held to: the stacks' answers, each counting where its stack measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional as F

from ..files.writing import image_from_volume
from ..geometry.grid import Grid
from ..geometry.volume import Volume
from .measuring import MARGIN

FLOOR = 0.01
"""Weight of an answer at frequencies that its stack did not measure: where no stack did, all count alike."""
BEYOND = 1e-3
"""Weight of what lies next to a stack's faces, where no stack reaches: lines end in something like the image."""
FADING = 4.0
"""Voxels over which an answer fades in from the faces of its stack's box, so that no seam is seen."""
NEAR = 5
"""Width, in voxels, of the neighbourhood in which the answers are compared."""
SHARE_OF_SPREAD, LEAST_DOUBT, ALONE = 0.5, 0.01, 0.05
"""Doubt: this share of the answers' SD; no less than this share of the range; and where one stack is alone."""


@dataclass(frozen=True)
class Answer:
    """What one stack alone gives: by the network for new slices, or interpolated.

    Attributes:
        volume: isotropic or nearly so, in its place, levelled, float32.
        normal: unit vector across the stack's slices, RAS.
        thickness: of its slices, mm.
    """

    volume: Volume
    normal: np.ndarray
    thickness: float


@dataclass(frozen=True)
class Prior:
    """Attributes, each ``(k, j, i)`` float32 on the fine grid:

    mean: what is expected. doubt: SD of its error. cover: by how many stacks each voxel is covered.
    """

    mean: torch.Tensor
    doubt: torch.Tensor
    cover: torch.Tensor


def prior_of(answers: list[Answer], grid: Grid, span: float, on_answer: Callable[[], None] = lambda: None) -> Prior:
    """Return what the answers say together on ``grid``, isotropic.

    Their mean is weighted, frequency by frequency, by the square of what the profile of each one's slices passes:
    a stack measured all along its slices and little across them. Where a stack does not reach, the others stand in.

    Args:
        span: the robust range of the reference. on_answer: called after each; may raise to stop.
    """
    fine, covers = [], []
    for answer in answers:
        fine.append(torch.from_numpy(_on_grid(answer.volume, grid, sitk.sitkBSpline, goes_on=True)))
        covers.append(torch.from_numpy(_on_grid(_fading(answer.volume), grid, sitk.sitkLinear, goes_on=False)))
        on_answer()
    cover = sum(covers[1:], covers[0].clone())
    total = torch.zeros_like(cover)
    for image, own in zip(fine, covers):
        total += image * (own + BEYOND)
    mean = total / (cover + len(answers) * BEYOND)
    squares = torch.zeros_like(cover)
    for image, own in zip(fine, covers):
        squares += own * (image - mean) ** 2
    spread = torch.sqrt(_near(squares / cover.clamp(min=1e-3)) * (cover / (cover - 1).clamp(min=0.5)))
    together = (cover - 1).clamp(0, 1)
    doubt = span * (LEAST_DOUBT + (1 - together) * ALONE) + SHARE_OF_SPREAD * together * spread
    del total, squares, spread, together
    combined, weights = None, None
    for answer in answers:
        image, own = fine.pop(0), covers.pop(0)
        image = torch.lerp(mean, image, own)
        spectrum = torch.fft.rfftn(image)
        weight = _weight(answer, grid, image.shape)
        spectrum *= weight
        combined = spectrum if combined is None else combined.add_(spectrum)
        weights = weight if weights is None else weights.add_(weight)
        on_answer()
    assert combined is not None and weights is not None
    expected = torch.fft.irfftn(combined.div_(weights), s=mean.shape)
    _meet_at_the_ends(expected)
    return Prior(expected, doubt, cover)


def _on_grid(volume: Volume, grid: Grid, interpolator: int, goes_on: bool) -> np.ndarray:
    """Return the volume on ``grid``; beyond its faces its last voxels, or 0."""
    image = image_from_volume(volume)
    resampler = sitk.ResampleImageFilter()
    where = image_from_volume(Volume(np.broadcast_to(np.uint8(0), (1, 1, 1)), grid.ijk_to_ras))
    resampler.SetReferenceImage(where)
    resampler.SetSize([int(size) for size in grid.dimensions])
    resampler.SetInterpolator(interpolator)
    if goes_on:
        resampler.UseNearestNeighborExtrapolatorOn()
    return sitk.GetArrayFromImage(resampler.Execute(image))


def _fading(volume: Volume) -> Volume:
    """Return 1 inside the volume and less towards its faces, where it ends in 0."""
    ramps = [np.clip((np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5) / FADING, 0, 1) for n in volume.voxels.shape]
    k, j, i = (ramp.astype(np.float32) for ramp in ramps)
    return Volume(k[:, None, None] * j[:, None] * i, volume.ijk_to_ras)


def _meet_at_the_ends(image: torch.Tensor) -> None:
    """Fade ``image`` in place to its mean within the margin, so that its periodic lines have no jump."""
    middle = float(image.mean())
    image -= middle
    for axis, size in enumerate(image.shape):
        near_end = torch.minimum(torch.arange(size), torch.arange(size).flip(0))
        ramp = ((near_end + 0.5) / MARGIN).clamp(max=1)
        image *= ramp.reshape([-1 if other == axis else 1 for other in range(3)])
    image += middle


def _near(image: torch.Tensor) -> torch.Tensor:
    pooled = F.avg_pool3d(image[None, None], NEAR, 1, NEAR // 2, count_include_pad=False)
    return pooled[0, 0]


def _weight(answer: Answer, grid: Grid, shape: torch.Size) -> torch.Tensor:
    """Return the square of what the slices' profile, taken for a Gaussian, passes, and the floor: as of ``rfftn``."""
    frequencies = [torch.fft.fftfreq(shape[0]), torch.fft.fftfreq(shape[1]), torch.fft.rfftfreq(shape[2])]
    axes = grid.ijk_to_ras[:3, :3] / grid.spacing
    along = (answer.normal @ axes)[::-1]
    k, j, i = (frequency * float(share) for frequency, share in zip(frequencies, along))
    across = k[:, None, None] + j[:, None] + i
    thickness = answer.thickness / float(grid.spacing[0])
    return torch.exp(-((math.pi * thickness * across) ** 2) / (2 * math.log(2))) + FLOOR
