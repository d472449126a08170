"""A volume turned about its centre without loss: four shears, each of which shifts lines by a phase ramp.

A rotation is the product of four matrices that differ from the identity in one row each (Chen and Kaufman 2000, "3D
volume rotation using shear transformations"), and a line is shifted by a fraction of a voxel by the Fourier shift
theorem. Shifts keep all frequencies, and the adjoint of a turn is the turn back. Lines are periodic: what lies at the
ends of one should meet smoothly, and no content may be shifted beyond an end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

NEGLIGIBLE = 1e-9
SLAB = 32
"""Planes that are sheared at once: more take more memory, and fall out of a CPU's caches."""


@dataclass(frozen=True)
class Shear:
    """Adds to the place along ``axis`` a share ``slopes[other]`` of that along each other axis; axes are 0, 1, 2."""

    axis: int
    slopes: tuple[float, float, float]


@dataclass(frozen=True)
class Turn:
    """Samples volumes at ``rotation @ (place - centre) + centre``, places in voxels ``(k, j, i)``.

    Attributes:
        shears: whose product, from the left, is the rotation.
        centre: in voxels from the centre of the first one.
    """

    shears: tuple[Shear, ...]
    centre: tuple[float, float, float]

    @classmethod
    def of(cls, rotation: np.ndarray, centre: tuple[float, float, float]) -> Turn:
        """Return the turn by a rotation, 3x3 over ``(k, j, i)``, of less than 90 degrees.

        With row p first and last, q and r between: R = P1 Q R P2, so that N = R P2^-1 has ones and the slopes of Q and
        R in its rows; p is the axis that the rotation is least about, or the slopes would grow without bounds.
        """
        about = np.abs(
            [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
        )
        p, q, r = (int(axis) for axis in np.argsort(about, kind="stable"))
        last_r = _ratio(rotation[r, r] - 1, rotation[r, p])
        n_qr = rotation[q, r] - last_r * rotation[q, p]
        last_q = _ratio(rotation[q, q] - 1 - n_qr * rotation[r, q], rotation[q, p] - n_qr * rotation[r, p])
        rows = rotation.astype(float).copy()
        rows[:, q] -= last_q * rotation[:, p]
        rows[:, r] -= last_r * rotation[:, p]
        # rows = P1 Q R: the row of r is R's, that of q is Q's times R, and the block of q and r has determinant 1.
        middle_r = _slopes((p, rows[r, p]), (q, rows[r, q]))
        middle_q = _slopes((p, rows[q, p] - n_qr * rows[r, p]), (r, n_qr))
        first_q = rows[p, q] - rows[r, q] * rows[p, r]
        first_r = rows[q, q] * rows[p, r] - n_qr * rows[p, q]
        shears = (
            Shear(p, _slopes((q, first_q), (r, first_r))),
            Shear(q, middle_q),
            Shear(r, middle_r),
            Shear(p, _slopes((q, last_q), (r, last_r))),
        )
        return cls(tuple(shear for shear in shears if max(map(abs, shear.slopes)) > NEGLIGIBLE), centre)

    def reach(self, extents: tuple[float, float, float]) -> int:
        """Return by how many voxels at most a shear shifts a line that is up to ``extents`` away from the centre."""
        shifts = [sum(abs(slope) * extent for slope, extent in zip(shear.slopes, extents)) for shear in self.shears]
        return math.ceil(max(shifts, default=0.0))

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Return ``volume`` ``(k, j, i)`` sampled at the turned places; a new tensor where there is any turn."""
        for number, shear in enumerate(self.shears):
            volume = _sheared(volume, shear, self.centre, 1.0, in_place=number > 0)
        return volume

    def adjoint(self, volume: torch.Tensor) -> torch.Tensor:
        """Return the adjoint of the turn applied to ``volume``: the turn back."""
        for number, shear in enumerate(reversed(self.shears)):
            volume = _sheared(volume, shear, self.centre, -1.0, in_place=number > 0)
        return volume


def _ratio(small: float, other: float) -> float:
    return 0.0 if abs(other) < NEGLIGIBLE else float(small / other)


def _slopes(*named: tuple[int, float]) -> tuple[float, float, float]:
    slopes = [0.0, 0.0, 0.0]
    for axis, slope in named:
        slopes[axis] = float(slope)
    return slopes[0], slopes[1], slopes[2]


def _sheared(
    volume: torch.Tensor, shear: Shear, centre: tuple[float, float, float], sign: float, in_place: bool
) -> torch.Tensor:
    result = volume if in_place else torch.empty_like(volume)
    axis, size = shear.axis, volume.shape[shear.axis]
    across, beside = (other for other in range(3) if other != axis)
    frequency = 2 * math.pi * sign * torch.fft.rfftfreq(size, dtype=torch.float64)

    def ramp(other: int) -> torch.Tensor:
        places = torch.arange(volume.shape[other], dtype=torch.float64) - centre[other]
        angle = frequency[:, None] * (shear.slopes[other] * places)
        shape = [1, 1, 1]
        shape[axis], shape[other] = angle.shape
        angle = (angle if axis < other else angle.T).reshape(shape)
        return torch.polar(torch.ones_like(angle), angle).to(volume.device, torch.complex64)

    ramps = ramp(across), ramp(beside)
    for first in range(0, volume.shape[across], SLAB):
        count = min(SLAB, volume.shape[across] - first)
        spectrum = torch.fft.rfft(volume.narrow(across, first, count), dim=axis)
        spectrum *= ramps[0].narrow(across, first, count)
        spectrum *= ramps[1]
        result.narrow(across, first, count).copy_(torch.fft.irfft(spectrum, n=size, dim=axis))
    return result
