"""How far each voxel of a stack is believed: what does not fit the others, as a slice that moved, counts less."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .solving import Evidence

SLICE_BEYOND = 1.5
"""A slice that misses by more than so many times as much as the stack's slices typically do counts less."""
VOXEL_BEYOND = 3.0
"""And so does a voxel that misses by more than so many SD."""
DOUBTED = 0.5
TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class Fit:
    """How well the result agrees with one stack.

    Attributes:
        noise: SD of what the stack is matched to, in its levelled units.
        residual: RMS by which the result misses the voxels that count, in the same units.
        contradicted: share of the voxels that it misses by more than three SD.
        doubted: the slices, counted from 0, that count for less than half.
    """

    noise: float
    residual: float
    contradicted: float
    doubted: tuple[int, ...]


def weigh(evidence: Evidence, missed: torch.Tensor, least_noise: float, slice_axis: int) -> None:
    """Set the noise of a stack and the trust in its voxels by how much a fine volume misses them.

    The noise is the robust SD of what is missed (1.4826 times the median of its size), no less than what it was. Voxels
    have the weights of Huber (1964), "Robust estimation of a location parameter", and whole slices their square.

    Args:
        missed: ``(k, j, i)`` of the stack, what was measured less what should have been.
        slice_axis: of the arrays, 0, 1, 2 for k, j, i.
    """
    counted = evidence.trust > 0
    size = missed.abs()
    noise = max(least_noise, evidence.noise, TO_DEVIATION * float(size[counted].median()) if counted.any() else 0.0)
    other = tuple(axis for axis in range(3) if axis != slice_axis)
    many = counted.sum(dim=other, keepdim=True)
    per_slice = torch.sqrt((missed.square() * counted).sum(dim=other, keepdim=True) / many.clamp(min=1))
    typical = float(per_slice[many > 0].median()) if (many > 0).any() else noise
    of_slice = (SLICE_BEYOND * typical / per_slice.clamp(min=1e-9)).clamp(max=1) ** 2
    of_voxel = (VOXEL_BEYOND * noise / size.clamp(min=1e-9)).clamp(max=1)
    evidence.noise, evidence.trust = noise, counted * of_slice * of_voxel


def fit_of(evidence: Evidence, missed: torch.Tensor, slice_axis: int, first_slice: int = 0) -> Fit:
    """Return how well a fine volume agrees with a stack. Arguments as of ``weigh``, and the first slice's number."""
    counted = evidence.trust > 0
    missed = missed[counted]
    other = tuple(axis for axis in range(3) if axis != slice_axis)
    trust = evidence.trust.sum(dim=other) / counted.sum(dim=other).clamp(min=1)
    doubted = torch.nonzero((trust < DOUBTED) & counted.any(dim=other[1]).any(dim=other[0])).flatten()
    if not len(missed):
        return Fit(evidence.noise, 0.0, 0.0, ())
    return Fit(
        evidence.noise,
        float(missed.square().mean().sqrt()),
        float((missed.abs() > 3 * evidence.noise).float().mean()),
        tuple(first_slice + int(index) for index in doubted),
    )
