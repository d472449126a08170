"""True slices, and the coarse ones that a scanner would have stored of them.

A scan serves as its own truth. Its slices are made coarser by an acquisition operator and stored in the scan's own
scalar type as a scanner would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Callable

import numpy as np
import SimpleITK as sitk
import torch

from ..acquisition.noise import add_quantum_noise, add_rician_noise
from ..acquisition.operators import OPERATORS
from ..acquisition.slice_profile import FWHM_OF_UNIT_GAUSSIAN
from ..acquisition.survey import slice_axis
from ..errors import InputError
from ..geometry.ijk import ijk, with_along
from ..geometry.intensity import IntensityScale, as_scalar_type
from ..geometry.volume import AXES, Volume, refined_matrix
from .metrics import SSIM_WINDOW

NOISES = {"kspace-noise": 0.02, "kspace-noise5": 0.05}
SOFTENINGS = {"kspace-soft": 2.0}  # FWHM in fine voxels of the Gaussian that blurs the truth itself beforehand
DEGRADATIONS = (*OPERATORS, *NOISES, *SOFTENINGS)
CONTENT_SHARE = 0.25


@dataclass(frozen=True)
class Truth:
    """True slices of one scan: evenly spaced ones, those between them, and what they are degraded and scored with.

    Only every ``step``-th slice of ``stack`` is scored, but a method may look at the slices beside each. ``across`` is
    the axis (0, 1, 2 for i, j, k) across the slices, ``scale`` the robust range of the *whole* scan, and
    ``zero`` the intensity of no signal: 0, or the lowest one of a scan with negative voxels.
    """

    stack: Volume
    step: int
    across: int
    factor: int
    scale: IntensityScale
    zero: float

    @cached_property
    def volume(self) -> Volume:
        """The slices that are scored."""
        return self.chosen(self.stack)

    def chosen(self, stack: Volume) -> Volume:
        """Return, of ``stack`` or of what was made of it, the slices that are scored."""
        picked = [slice(None)] * 3
        picked[2 - self.across] = slice(None, None, self.step)
        matrix = stack.ijk_to_ras.copy()
        matrix[:3, self.across] *= self.step
        return Volume(stack.voxels[tuple(picked)], matrix, stack.modality)

    @property
    def factors(self) -> tuple[int, int, int]:
        """The factor along i, j and k."""
        return with_along((self.factor,) * 3, self.across, 1)

    @property
    def plane(self) -> str:
        """The two axes of the slices, such as "ij"."""
        return AXES.replace(AXES[self.across], "")

    def slices_of(self, volume: Volume) -> np.ndarray:
        """Return the slices of this volume or of one made from it, ``(N, H, W)``; H is k or j, W is j or i."""
        return np.moveaxis(volume.voxels, 2 - self.across, 0)

    def stored(self, voxels: np.ndarray) -> np.ndarray:
        """Return ``voxels`` in the scan's scalar type, and not below 0 where the scan is not: what a file can hold."""
        return as_scalar_type(np.maximum(voxels, 0) if self.zero == 0 else voxels, self.stack.voxels.dtype)


def choose_slices(volume: Volume, factor: int, plane: str | None = None, most: int = 24) -> Truth:
    """Return up to ``most`` evenly spaced slices with content, cropped to multiples of ``factor``, where they lie.

    A slice has content if its voxels vary at least a quarter as much as those of the most varied slice. The plane is
    two axes, such as "ij", or None for the one across the coarsest spacing.

    Raises:
        InputError: an unknown plane, or a volume that is too small, constant or not finite.
    """
    across = slice_axis(volume) if plane is None else _axis_across(plane)
    if not np.isfinite(volume.voxels).all():
        raise InputError("The volume holds NaN or infinite voxels; replace them (by 0, say) and try again.")
    try:
        scale = IntensityScale.of(volume.voxels)
    except ValueError:
        raise InputError("All voxels of the volume are equal, so there is nothing to evaluate.") from None
    sides = [size // factor * factor for axis, size in enumerate(volume.dimensions) if axis != across]
    if min(sides) < max(SSIM_WINDOW, 4 * factor):
        raise InputError(f"The slices are too small to be made {factor} times coarser; choose another plane or volume.")
    variation = np.moveaxis(volume.voxels, 2 - across, 0).std(axis=(1, 2), dtype=np.float64)
    content = np.flatnonzero(variation > CONTENT_SHARE * variation.max())
    first, last = int(content[0]), int(content[-1]) + 1
    step = max(1, round((last - first) / most))
    count = min(most, -(-(last - first) // step))
    first += (last - first - (count - 1) * step - 1) // 2
    box = [slice(0, size // factor * factor) for size in volume.dimensions]
    box[across] = slice(first, first + (count - 1) * step + 1)
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += first * matrix[:3, across]
    stack = Volume(volume.voxels[tuple(reversed(box))], matrix, volume.modality)
    return Truth(stack, step, across, factor, scale, min(0.0, float(volume.voxels.min())))


def _axis_across(plane: str) -> int:
    axes = set(plane)
    if len(plane) != 2 or len(axes) != 2 or not axes < set(AXES):
        raise InputError(f"There is no slice plane {plane}; give two of the axes i, j and k, such as ij or ik.")
    return AXES.index((set(AXES) - axes).pop())


def truth_for(sharp: Truth, degradation: str) -> Truth:
    """Return what a degradation starts from and is scored against: ``sharp`` itself, or for those of ``SOFTENINGS``
    what a Gaussian leaves of it, a scan that is softer than its grid and must stay so."""
    if degradation not in SOFTENINGS:
        return sharp
    sigma = SOFTENINGS[degradation] / FWHM_OF_UNIT_GAUSSIAN
    soft = blurred(sharp.stack.voxels.astype(np.float32), sharp.across, sigma)
    return replace(sharp, stack=replace(sharp.stack, voxels=sharp.stored(soft)))


def degrade(truth: Truth, degradation: str, seed: int = 0) -> Volume:
    """Return the coarse stack that a scanner would have stored: on the coarse grid, in the scan's scalar type.

    ``truth`` is what ``truth_for`` returns for ``degradation``.
    """
    slices = torch.from_numpy(truth.slices_of(truth.stack).astype(np.float32) - np.float32(truth.zero))[:, None]
    coarse = operator_of(degradation)(slices, truth.factor)
    if degradation in NOISES:
        # No signal is no lowest value in a CT: its noise is Gaussian, and has a grain.
        add_noise = add_quantum_noise if truth.zero < 0 else add_rician_noise
        generator = torch.Generator().manual_seed(seed)
        coarse = add_noise(coarse, NOISES[degradation] * truth.scale.span, generator)
    stored = truth.stored(coarse[:, 0].numpy() + truth.zero)
    matrix = refined_matrix(truth.stack.ijk_to_ras, ijk(1 / factor for factor in truth.factors))
    return Volume(np.moveaxis(stored, 0, 2 - truth.across), matrix, truth.stack.modality)


def operator_of(degradation: str) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """Return the acquisition operator of a degradation, without its noise or softening."""
    return OPERATORS["kspace" if degradation in (*NOISES, *SOFTENINGS) else degradation]


def blurred(voxels: np.ndarray, across: int, sigma: float) -> np.ndarray:
    """Return ``voxels``, ``(k, j, i)``, after a Gaussian of ``sigma`` voxels SD along both axes of the slices."""
    variances = [0.0 if axis == across else sigma**2 for axis in range(3)]
    return sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.GetImageFromArray(voxels), variances, 64, 0.001, False))
