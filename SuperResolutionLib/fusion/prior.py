"""What is expected before any stack is held to: the stacks' answers, each counting where its stack measured."""

from __future__ import annotations

import itertools
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

SHELLS = np.array([0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0])
"""Cycles a millimetre, between which the agreement of the stacks is measured."""
AGREEING = 128
"""Voxels of the middle along each axis in which it is: enough, and it takes little memory."""
PASSED = 0.5
"""Of the square of what a profile passes: above it, a stack counts as having measured a frequency."""
LEAST_AGREED = 0.02
"""So that no frequency is divided by nothing."""


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
    kept: as of ``rfftn``, the share of each frequency that is kept, since the stacks agree no further.
    agreed: up to which frequency they correlate by a half and more, cycles a millimetre; None where they all do.
    """

    mean: torch.Tensor
    doubt: torch.Tensor
    cover: torch.Tensor
    kept: torch.Tensor
    agreed: float | None

    def held_back(self, fine: torch.Tensor) -> torch.Tensor:
        """Return ``fine``, which leaves what is expected only as far as the stacks agree."""
        spectrum = torch.fft.rfftn(fine - self.mean).mul_(self.kept)
        return torch.fft.irfftn(spectrum, s=fine.shape).add_(self.mean)


def prior_of(
    answers: list[Answer],
    grid: Grid,
    span: float,
    on_answer: Callable[[], None] = lambda: None,
    all_detail: bool = False,
) -> Prior:
    """Return what the answers say together on ``grid``, isotropic.

    Their mean is weighted, frequency by frequency, by the square of what the profile of each one's slices passes:
    a stack measured all along its slices and little across them. Where a stack does not reach, the others stand in.
    Detail is held back as far as the stacks do not agree in it (``_agreement``): a Wiener filter; not where
    ``all_detail`` is wanted.

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
    agreed = np.ones(len(SHELLS) - 1) if all_detail else _agreement(answers, fine, covers, grid)
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
    combined.div_(weights)
    # Of one stack's detail that share is the patient's that another stack shows as well, in the mean over both.
    kept = _kept(weights.clamp_(min=1), agreed, grid)
    combined.mul_(kept)
    expected = torch.fft.irfftn(combined, s=mean.shape)
    _meet_at_the_ends(expected)
    doubted = np.flatnonzero(agreed < 0.5)
    return Prior(expected, doubt, cover, kept, float(SHELLS[doubted[0]]) if len(doubted) else None)


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


def _agreement(answers: list[Answer], fine: list[torch.Tensor], covers: list[torch.Tensor], grid: Grid) -> np.ndarray:
    """Return the correlation of the stacks at the frequencies of ``SHELLS``, where two of them measured both.

    Noise lowers it, and what moved or is distorted. It never rises with frequency.
    """
    middle = tuple(
        slice(max(0, (size - AGREEING) // 2), max(0, (size - AGREEING) // 2) + AGREEING) for size in fine[0].shape
    )
    parts, shares = [image[middle] for image in fine], [own[middle] for own in covers]
    shape = parts[0].shape
    lines = [torch.hann_window(size + 2, periodic=False)[1:-1].sqrt() for size in shape]
    tapered = lines[0][:, None, None] * lines[1][:, None] * lines[2]
    shell = torch.bucketize(_radius(shape, grid), torch.from_numpy(SHELLS).float())
    passed = [_weight(answer, grid, shape) > PASSED for answer in answers]
    crossed, powers = torch.zeros(len(SHELLS) + 1), torch.zeros(len(SHELLS) + 1)
    for one, other in itertools.combinations(range(len(answers)), 2):
        window = tapered * shares[one] * shares[other]
        first, second = (
            torch.fft.rfftn((part - (part * window).sum() / window.sum().clamp(min=1e-6)) * window)
            for part in (parts[one], parts[other])
        )
        both = passed[one] & passed[other]
        for number in range(1, len(SHELLS)):
            a, b = first[both & (shell == number)], second[both & (shell == number)]
            crossed[number] += (a * b.conj()).real.sum()
            powers[number] += (a.abs().square().sum() * b.abs().square().sum()).sqrt()
    found = (crossed / powers.clamp(min=1e-6))[1:-1].numpy()
    found[powers[1:-1].numpy() == 0] = 1  # nothing is known there but what lower frequencies say
    return np.minimum.accumulate(np.clip(found, LEAST_AGREED, 1))


def _kept(measured: torch.Tensor, agreed: np.ndarray, grid: Grid) -> torch.Tensor:
    """Return the share of each frequency that is kept: ``measured`` stacks, as of ``rfftn``, agree as ``agreed``."""
    shape = (measured.shape[0], measured.shape[1], 2 * (measured.shape[2] - 1))
    radius = _radius(torch.Size(shape), grid).numpy()
    noise = np.interp(radius, (SHELLS[1:] + SHELLS[:-1]) / 2, 1 / agreed - 1)
    return measured / (measured + torch.from_numpy(noise.astype(np.float32)))


def _radius(shape: torch.Size, grid: Grid) -> torch.Tensor:
    """Return the frequency in cycles a millimetre, as of ``rfftn``."""
    k, j, i = torch.fft.fftfreq(shape[0]), torch.fft.fftfreq(shape[1]), torch.fft.rfftfreq(shape[2])
    return torch.sqrt(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2) / float(grid.spacing[0])


def _weight(answer: Answer, grid: Grid, shape: torch.Size) -> torch.Tensor:
    """Return the square of what the slices' profile, taken for a Gaussian, passes, and the floor: as of ``rfftn``."""
    frequencies = [torch.fft.fftfreq(shape[0]), torch.fft.fftfreq(shape[1]), torch.fft.rfftfreq(shape[2])]
    axes = grid.ijk_to_ras[:3, :3] / grid.spacing
    along = (answer.normal @ axes)[::-1]
    k, j, i = (frequency * float(share) for frequency, share in zip(frequencies, along))
    across = k[:, None, None] + j[:, None] + i
    thickness = answer.thickness / float(grid.spacing[0])
    return torch.exp(-((math.pi * thickness * across) ** 2) / (2 * math.log(2))) + FLOOR
