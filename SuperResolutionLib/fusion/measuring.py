"""What a stack of thick slices measures of a fine volume: the operator of its acquisition, and the adjoint."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..acquisition.slice_profile import profile_weights
from ..geometry.grid import Grid
from .turning import Turn

PROFILE = "truncated sinc"
"""The slice profile that is assumed, as where new slices are made of one stack."""
LOBES = 4
"""Of the windowed sinc that samples the slice plane, to each side."""
MARGIN = 8
"""Voxels by which the part of the fine volume that is turned goes beyond what the stack sees."""
SMOOTH = (2, 3, 5)


@dataclass(frozen=True)
class Sampling:
    """How a stack measures: the grid of its voxels in the world, the axis across its slices, and what each voxel sees.

    Attributes:
        grid: of the stack, where it lies in the patient.
        slice_axis: 0, 1, 2 for i, j, k.
        thickness: FWHM of the slice profile, mm.
        acquired_spacing: mm along i, j and k between the samples that were acquired in the slice plane: above the
            grid's spacing where the scanner filled k-space with zeros.
        centres: of the slices, in slices from the first one's; None where they are even.
    """

    grid: Grid
    slice_axis: int
    thickness: float
    acquired_spacing: tuple[float, float, float]
    centres: np.ndarray | None = None


class Measuring:
    """A: from a fine, isotropic volume to the voxels of a stack: turned, cropped, and averaged line by line.

    The volume is turned about its centre so that its axes are the stack's (``Turn``); then each axis is one product
    with a matrix: the slice profile's integrals over the fine voxels, or a windowed sinc in the slice plane, whose band
    is that of the stack's samples or of the fine voxels, whichever is narrower.

    Args:
        fine: the grid of the fine volume, isotropic, its axes at right angles.
        sampling: of the stack.
        device: where the matrices lie.

    Attributes:
        shape: ``(k, j, i)`` of the stack.
    """

    def __init__(self, fine: Grid, sampling: Sampling, device: torch.device | None = None) -> None:
        steps, start, nearest, rotation = _relation(fine, sampling.grid)
        scale = np.linalg.norm(steps, axis=0)
        self._order: list[int] = []  # the fine axis of each of the stack's
        shape, counts = fine.dimensions[::-1], sampling.grid.dimensions[::-1]
        # Turned about the stack's centre, the stack's voxels stay about it.
        centre = steps @ ((np.array(counts) - 1) / 2) + start
        across = 2 - sampling.slice_axis
        spacing = float(fine.spacing[0])
        places, sees = [], []
        for axis in range(3):
            index = np.arange(counts[axis], dtype=float)
            if axis == across and sampling.centres is not None:
                index = sampling.centres
            fine_axis = int(np.flatnonzero(nearest[:, axis])[0])
            self._order.append(fine_axis)
            from_middle = index - (counts[axis] - 1) / 2
            places.append(centre[fine_axis] + nearest[fine_axis, axis] * scale[axis] * from_middle)
            sees.append(2 * sampling.thickness / spacing if axis == across else LOBES * scale[axis] + 1)
        extents = [0.0, 0.0, 0.0]
        for axis, fine_axis in enumerate(self._order):
            extents[fine_axis] = float(np.abs(places[axis] - centre[fine_axis]).max() + sees[axis] + MARGIN)
        turn = Turn.of(rotation, (0.0, 0.0, 0.0))
        reach = turn.reach((extents[0], extents[1], extents[2]))
        parts, self._lines = [slice(0, 0)] * 3, []
        for axis, fine_axis in enumerate(self._order):
            first, size = _part(places[axis], sees[axis] + MARGIN + reach, shape[fine_axis])
            parts[fine_axis] = slice(first, first + size)
            at = torch.from_numpy(places[axis] - first)
            if axis == across:
                weights = _within(at, size, sampling.thickness / spacing)
            else:
                weights = sinc_weights(at, size, max(1.0, sampling.acquired_spacing[2 - axis] / spacing))
            self._lines.append(weights.float().to(device))
        i, j, k = (float(middle - part.start) for middle, part in zip(centre, parts))
        self._turn, self._part = replace(turn, centre=(i, j, k)), tuple(parts)
        # The slices first: that leaves least to do for the others.
        self._sequence = sorted(range(3), key=lambda axis: self._lines[axis].shape[0] / self._lines[axis].shape[1])
        self.shape, self._fine_shape = counts, shape

    def __call__(self, fine: torch.Tensor) -> torch.Tensor:
        """Return what the stack measures of ``fine``, ``(k, j, i)`` float32, in ``(k, j, i)`` of the stack."""
        part = self._turn(fine[self._part]).permute(self._order)
        for axis in self._sequence:
            part = _along(part, axis, self._lines[axis])
        return part.contiguous()

    def add_adjoint(self, measured: torch.Tensor, fine: torch.Tensor) -> None:
        """Add the adjoint of ``measured``, ``(k, j, i)`` of the stack, to ``fine`` in place."""
        for axis in reversed(self._sequence):
            measured = _along(measured, axis, self._lines[axis].T)
        back = [self._order.index(axis) for axis in range(3)]
        fine[self._part] += self._turn.adjoint(measured.permute(back).contiguous())

    def seen(self, device: torch.device | None = None) -> torch.Tensor:
        """Return the adjoint of ones, in the fine grid: how much the stack's voxels see of each fine one."""
        seen = torch.zeros(self._fine_shape, device=device)
        self.add_adjoint(torch.ones(self.shape, device=device), seen)
        return seen


def reach_of(fine: Grid, sampling: Sampling) -> int:
    """Return by how many voxels of ``fine`` the turn for a stack shifts lines beyond where its content belongs."""
    _, _, _, rotation = _relation(fine, sampling.grid)
    i, j, k = (size / 2 for size in fine.dimensions)
    return Turn.of(rotation, (0.0, 0.0, 0.0)).reach((k, j, i))


def _relation(fine: Grid, stack: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return how a stack lies in the fine grid, all in the order of arrays, ``(k, j, i)``.

    That are the stack's steps in fine voxels (a column each), its first voxel's place, the signed permutation that is
    nearest to the steps' directions, and the rotation that is left.
    """
    relative = np.linalg.solve(fine.ijk_to_ras, stack.ijk_to_ras)
    steps, start = relative[:3, :3][::-1, ::-1], relative[:3, 3][::-1]
    directions = steps / np.linalg.norm(steps, axis=0)
    nearest = _nearest_signed_permutation(directions)
    return steps, start, nearest, _orthonormal(directions) @ nearest.T


def sinc_weights(places: torch.Tensor, size: int, width: float) -> torch.Tensor:
    """Return ``(places, size)`` float64: lines at ``places`` by a Lanczos-windowed sinc ``width`` voxels wide.

    Rows add up to 1 and their first moment lies at the place, but those beyond the line, which are 0.

    Args:
        places: in voxels from the centre of the first. width: 1 interpolates; more also takes the band down.
    """
    distance = (places[:, None] - torch.arange(size, dtype=torch.float64)) / width
    window = torch.sinc(distance / LOBES).clamp(min=0) * (distance.abs() < LOBES)
    weights = torch.sinc(distance) * window
    # A windowed sinc shifts what slopes by a thousandth of a voxel: the least change of its taps mends sum and place.
    sums = [(window * distance**power).sum(dim=1) for power in range(3)]
    missing = 1 - weights.sum(dim=1), -(weights * distance).sum(dim=1)
    divisor = (sums[0] * sums[2] - sums[1] ** 2).clamp(min=1e-9)
    constant = (missing[0] * sums[2] - missing[1] * sums[1]) / divisor
    slope = (missing[1] * sums[0] - missing[0] * sums[1]) / divisor
    mended = weights + (constant[:, None] + slope[:, None] * distance) * window
    whole = (places > -0.5) & (places < size - 0.5)
    return torch.where(whole[:, None], mended, torch.zeros_like(mended))


def _within(places: torch.Tensor, size: int, fwhm: float) -> torch.Tensor:
    weights = torch.zeros(len(places), size, dtype=torch.float64)
    inside = (places > -0.5) & (places < size - 0.5)
    weights[inside] = profile_weights(places[inside], size, fwhm, PROFILE)
    return weights


def _along(array: torch.Tensor, axis: int, matrix: torch.Tensor) -> torch.Tensor:
    return torch.tensordot(array, matrix, dims=([axis], [1])).movedim(-1, axis)


def _nearest_signed_permutation(directions: np.ndarray) -> np.ndarray:
    """Return the matrix of one 1 or -1 in each row and column that is nearest to unit columns."""
    best = max(itertools.permutations(range(3)), key=lambda rows: sum(abs(directions[rows[n], n]) for n in range(3)))
    result = np.zeros((3, 3))
    for column, row in enumerate(best):
        result[row, column] = math.copysign(1.0, directions[row, column])
    return result


def _orthonormal(matrix: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(matrix)
    return left @ right


def _part(places: np.ndarray, beyond: float, size: int) -> tuple[int, int]:
    """Return the first of the fine voxels to be turned along one axis and their number, a quick one for Fourier."""
    first = max(0, math.floor(places.min() - beyond))
    last = min(size, math.ceil(places.max() + beyond) + 1)
    wanted = max(1, last - first)
    count = min(size, quick_size(wanted))
    return max(0, min(first, size - count)), count


def quick_size(wanted: int) -> int:
    """Return the smallest even number from ``wanted`` on without prime factors above 5, quick to transform."""
    size = max(2, wanted)
    while size % 2 or _rest(size) > 1:
        size += 1
    return size


def _rest(number: int) -> int:
    for prime in SMOOTH:
        while number % prime == 0:
            number //= prime
    return number
