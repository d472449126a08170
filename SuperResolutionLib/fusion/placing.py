"""Where each stack lies once the patient's movement between the scans is taken out: rigid registration."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from ..acquisition.slice_profile import FWHM_OF_UNIT_GAUSSIAN
from ..errors import InputError
from ..files.writing import image_from_volume
from ..geometry.intensity import IntensityScale
from ..geometry.resampling import resample_to_spacing
from ..geometry.volume import LPS_TO_RAS, Volume
from .likeness import Likeness, likeness

SAMPLES, SEED = 60_000, 1
"""Voxels, drawn at random, on which two stacks are compared: with these the noise of the choice is far below a tenth of
a millimetre."""
STEPS_A_SLICE = 2
"""Stacks are compared on voxels half of the thickest slice wide, or as fine as the finest, if that is coarser."""
FIRST_STEP, SEARCHED, LAST_STEP, MOST_STEPS = 2.0, 0.5, 0.01, 100
"""mm, by which the farthest voxel moves: of the first step from where files put the stacks, of the first one from where
they were found before, and of the last one; and how many steps at most."""
FOREGROUND = 0.1
"""Of the robust range: below it there is air, which tells nothing of where the patient lies."""
LEAST_OVERLAP = 0.05
"""Of the smaller stack's patient: what two stacks that are to be fused must share."""
LEAST_DETAIL, LARGEST_DEPARTURE = 0.57, 0.2
"""Of ``Likeness``. In training scans, three planes of one patient have detail of 0.64 to 0.88 and depart by 0.03 to
0.07; other contrasts of one patient depart by 0.35 and more; the nearest other patients have 0.51 and 0.18."""


@dataclass(frozen=True)
class Placement:
    """Where a stack lies.

    Attributes:
        movement: 4x4, from the place in the file to the place in the reference's frame, RAS mm.
        likeness: with the reference, after placing; None of the reference.
        moved: by how many mm the stack's centre was moved. turned: by how many degrees.
    """

    movement: np.ndarray
    likeness: Likeness | None
    moved: float
    turned: float

    @classmethod
    def by(cls, movement: np.ndarray, volume: Volume, likeness: Likeness | None) -> Placement:
        """Return the placement that a movement of ``volume`` is."""
        centre = volume.ijk_to_ras @ [*((size - 1) / 2 for size in volume.dimensions), 1.0]
        turned = math.degrees(math.acos(min(1.0, max(-1.0, (np.trace(movement[:3, :3]) - 1) / 2))))
        return cls(movement, likeness, float(np.linalg.norm((movement @ centre - centre)[:3])), turned)

    def placed(self, volume: Volume) -> Volume:
        """Return the volume in its place: the matrix changes, no voxel does."""
        return replace(volume, ijk_to_ras=self.movement @ volume.ijk_to_ras)


REFERENCE = Placement(np.eye(4), None, 0.0, 0.0)


def comparing_spacing(volumes: list[Volume]) -> float:
    """Return the spacing, mm, on which stacks are compared."""
    finest = max(min(volume.spacing) for volume in volumes)
    return max(finest, max(max(volume.spacing) for volume in volumes) / STEPS_A_SLICE)


def place(
    volumes: list[Volume],
    registration: bool = True,
    force: bool = False,
    again: bool = False,
    on_stack: Callable[[int, int, str], None] = lambda done, total, message: None,
) -> list[Placement]:
    """Return where each stack lies; the first is the reference, whose place stays.

    Each starts where its file puts it. Correlation, which no gain changes, is taken between the stacks interpolated
    to small voxels; what is as fine as those is smoothed away. The rigid transform changes headers alone.

    Args:
        registration: else all are left where their files put them.
        force: whether stacks are placed that do not look alike.
        again: whether they were placed before, so that little is left to find.
        on_stack: called as ``progress`` before each stack; may raise to stop.

    Raises:
        InputError: a stack does not overlap with the reference, or cannot be aligned with it.
    """
    spacing = comparing_spacing(volumes)
    reference = _Image.of(volumes[0], spacing)
    placements = [REFERENCE]
    for number, volume in enumerate(volumes[1:], 2):
        on_stack(number - 1, len(volumes), "Placing the scans")
        moving = _Image.of(volume, spacing)
        if reference.overlap(moving, np.eye(4)) < LEAST_OVERLAP:
            raise InputError(
                f"Scan {number} shows hardly anything of what scan 1 shows; fuse scans of one region, in one frame of"
                " reference."
            )
        movement = reference.registered(moving, again) if registration else np.eye(4)
        alike = reference.likeness(moving, movement)
        if not force:
            _check(number, alike, registration)
        placements.append(Placement.by(movement, volume, alike))
    return placements


def _check(number: int, alike: Likeness, registration: bool) -> None:
    if not registration and (alike.departure > LARGEST_DEPARTURE or alike.detail < LEAST_DETAIL):
        raise InputError(
            f"Scan {number} does not fit scan 1 where its file puts it (their detail correlates by {alike.detail:.2f},"
            f" and their contrast departs by {alike.departure:.2f}); let it be registered, leave it out, or fuse it all"
            " the same by --force."
        )
    if alike.departure > LARGEST_DEPARTURE:
        raise InputError(
            f"Scan {number} has another contrast than scan 1 (where scan 1 is brighter it is not so in proportion: it"
            f" departs by {alike.departure:.2f} of its spread, and {LARGEST_DEPARTURE:g} is the most); leave it out, or"
            " fuse it all the same by --force."
        )
    if alike.detail < LEAST_DETAIL:
        raise InputError(
            f"Scan {number} cannot be aligned with scan 1 (their detail correlates by {alike.detail:.2f}, and"
            f" {LEAST_DETAIL:g} is the least): another contrast, another patient or too much distortion; leave it"
            " out, or fuse it all the same by --force."
        )


@dataclass(frozen=True)
class _Image:
    """A stack on small voxels, and where in it there is a patient.

    Attributes:
        image, mask: SimpleITK's, float32 and 0 or 1. slices: thickness of its slices, in mm.
    """

    image: sitk.Image
    mask: sitk.Image
    slices: float
    spacing: float

    @classmethod
    def of(cls, volume: Volume, spacing: float) -> _Image:
        scale = IntensityScale.of(volume.voxels)
        fine = resample_to_spacing(volume, (spacing, spacing, spacing))
        image = image_from_volume(replace(fine, voxels=scale.normalise(fine.voxels)))
        mask = sitk.DiscreteGaussian(image, (2 * spacing) ** 2) > FOREGROUND
        return cls(image, sitk.Cast(mask, sitk.sitkUInt8), max(volume.spacing), spacing)

    def overlap(self, moving: _Image, movement: np.ndarray) -> float:
        """Return the share of the smaller patient that lies in both."""
        ours = sitk.GetArrayViewFromImage(self.mask)
        theirs = sitk.Resample(moving.mask, self.image, _pull(movement), sitk.sitkNearestNeighbor, 0)
        both = np.count_nonzero(ours & sitk.GetArrayViewFromImage(theirs))
        sizes = [np.count_nonzero(sitk.GetArrayViewFromImage(mask)) for mask in (self.mask, moving.mask)]
        return float(both) / max(1.0, float(np.min(sizes)))

    def registered(self, moving: _Image, again: bool = False) -> np.ndarray:
        """Return the movement that aligns ``moving`` with this one best; ``again`` as of ``place``."""
        start = sitk.Euler3DTransform()
        start.SetCenter(self.image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in self.image.GetSize()]))
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsCorrelation()
        method.SetMetricFixedMask(self.mask)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetInterpolator(sitk.sitkLinear)
        first_step = SEARCHED if again else FIRST_STEP
        method.SetOptimizerAsRegularStepGradientDescent(first_step, LAST_STEP, MOST_STEPS, 0.6)
        method.SetOptimizerScalesFromPhysicalShift()
        # SimpleITK shrinks five slices by 4 to one in silence: no coarser than leaves a few voxels.
        coarsest = min(*self.image.GetSize(), *moving.image.GetSize()) // 8
        levels = [2, 1] if coarsest >= 2 and not again else [1]
        sizes = [math.prod(max(1, size // level) for size in self.image.GetSize()) for level in levels]
        method.SetMetricSamplingPercentagePerLevel([min(1.0, SAMPLES / size) for size in sizes], SEED)
        method.SetShrinkFactorsPerLevel(levels)
        method.SetSmoothingSigmasPerLevel([self.spacing * level / 2 for level in levels])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetInitialTransform(start, inPlace=True)
        try:
            method.Execute(self.image, moving.image)
        except RuntimeError:  # no sample of the one lies in the other any more
            return np.eye(4)
        return np.linalg.inv(_of_transform(start))

    def likeness(self, moving: _Image, movement: np.ndarray) -> Likeness:
        """Return how alike this one and ``moving``, moved so, are where there is a patient in both."""
        ones = sitk.Cast(moving.mask * 0 + 1, sitk.sitkFloat32)
        theirs, mask, inside = (
            sitk.GetArrayFromImage(sitk.Resample(image, self.image, _pull(movement), sitk.sitkLinear, 0.0))
            for image in (moving.image, sitk.Cast(moving.mask, sitk.sitkFloat32), ones)
        )
        shared = (mask > 0.5) & (inside > 0.99) & (sitk.GetArrayViewFromImage(self.mask) > 0)
        sigma = max(self.slices, moving.slices) / FWHM_OF_UNIT_GAUSSIAN / self.spacing
        return likeness(sitk.GetArrayFromImage(self.image), theirs, shared, inside, sigma)


def _of_transform(transform: sitk.Euler3DTransform) -> np.ndarray:
    """Return the 4x4 matrix, RAS mm, of a rigid transform of SimpleITK's."""
    turn, centre = np.array(transform.GetMatrix()).reshape(3, 3), np.array(transform.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre + np.array(transform.GetTranslation()) - turn @ centre
    return LPS_TO_RAS @ matrix @ LPS_TO_RAS


def _pull(movement: np.ndarray) -> sitk.AffineTransform:
    """Return what takes a point of the reference to that of the stack, as SimpleITK resamples."""
    matrix = LPS_TO_RAS @ np.linalg.inv(movement) @ LPS_TO_RAS
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform
