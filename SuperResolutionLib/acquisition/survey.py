"""The survey of a scan: what it is, looked at once, before anything is planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..geometry.grid import Grid
from ..geometry.intensity import IntensityScale
from ..geometry.nearest import at_nearest
from ..geometry.volume import Volume
from .absent import Absent, absent_of
from .acquired_band import AcquiredBand, detect_acquired_band
from .band_crop import crop_to_band
from .label_map import is_label_map
from .modality import is_ct
from .noise import noise_level
from .outliers import outliers_of
from .padding import padding_of
from .slice_gains import SliceBands, find_slice_bands

COARSER = 1.1
"""The axis across the slices is known by its spacing where that is more than so many times that of both others."""
NOISE_SLICES = 16
SEGMENTATION = "SEG"
"""DICOM's modality of masks and label maps."""


@dataclass(frozen=True)
class Levels:
    """What the intensities of a scan are.

    Attributes:
        scale: the robust range of the whole volume, but for what was not measured.
        noise: SD of the noise, normalised by ``scale``; 0 where there is none to see.
        empty: the normalised value around the patient where it is exactly constant, else None.
    """

    scale: IntensityScale
    noise: float
    empty: float | None


@dataclass(frozen=True)
class Survey:
    """What a scan is. Every ``..._from`` says in words who says so.

    What takes a while to find (``stored``, ``acquired_volume``, ``acquired``, ``slice_bands``) is found when it is
    first asked for, and then kept.

    Attributes:
        volume: the scan.
        absent: its voxels that were not measured, padding and outliers; None where all were.
        seen: the scan as the networks see it, in which others stand for those; all that follows is of it.
        slice_axis: the axis across the slices, 0, 1, 2 for i, j, k.
        modality: the DICOM modality ("MR", "CT"), or None.
        thickness: of the slices in mm, the FWHM of their profile.
        magnitude: whether no voxel is negative, so that a negative one in a result would be wrong.
        label_map: whether its voxels are labels, not intensities; None where they may be (``is_label_map``).
        flaw: why the scan cannot be upscaled, in one sentence; "" where it can.
        constant: whether its flaw is that all voxels are equal, with which labels can be carried: an empty mask.
        band: the part of k-space that was acquired, along the axes of the slices, and who says so.
    """

    volume: Volume = field(repr=False)
    absent: Absent | None = field(repr=False)
    seen: Volume = field(repr=False)
    slice_axis: int
    slice_axis_from: str
    modality: str | None
    modality_from: str
    thickness: float
    thickness_from: str
    magnitude: bool
    label_map: bool | None
    flaw: str
    constant: bool
    band: AcquiredBand

    @property
    def grid(self) -> Grid:
        """Where the scan's voxels lie."""
        return Grid.of(self.volume)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of voxel centres along i, j and k, in mm."""
        return self.volume.spacing

    @cached_property
    def stored(self) -> Levels:
        """The intensities of the scan as it is stored."""
        if self.constant:
            value = float(self.volume.voxels.flat[0])
            return Levels(IntensityScale(value, value), 0.0, None)
        return _levels(self.seen, self.slice_axis, self._uncounted)

    @cached_property
    def acquired_volume(self) -> Volume:
        """``seen`` on the grid of the samples that were acquired: ``seen`` itself where nothing was filled."""
        return crop_to_band(self.seen, self.band) if self.band.zero_filled else self.seen

    @cached_property
    def acquired(self) -> Levels:
        """The intensities of ``acquired_volume``, whose noise is another one."""
        if not self.band.zero_filled:
            return self.stored
        uncounted, grid = self._uncounted, Grid.of(self.acquired_volume)
        return _levels(
            self.acquired_volume,
            self.slice_axis,
            None if uncounted is None else at_nearest(uncounted, self.grid, grid),
        )

    @property
    def _uncounted(self) -> np.ndarray | None:
        return None if self.absent is None else self.absent.uncounted

    @cached_property
    def slice_bands(self) -> SliceBands | None:
        """How the slices differ in brightness by turns; None where they do not, and where no gain can be meant.

        Hounsfield units are absolute, and a gain is meant for magnitudes alone.
        """
        if self.modality == "CT" or self.label_map or not self.magnitude or self.flaw:
            return None
        return find_slice_bands(self.seen.voxels, self.grid, self.slice_axis)


def survey(volume: Volume, named_axis: int | None = None, acquired: tuple[int, int] | None = None) -> Survey:
    """Return what a scan is.

    Args:
        named_axis: the slice axis, 0, 1, 2 for i, j, k, where the user names it (``UpscaleRequest.named_axis``).
        acquired: how many samples were acquired along the two axes of the slices, in the order i, j, k, where the user
            says so (``UpscaleRequest.acquired``).

    Raises:
        InputError: ``acquired`` cannot be the matrix of such slices.

    Example::

        print(survey(read_volume("t1.nii.gz")).band.sentence())
    """
    axis, axis_from = slice_axis(volume), "the coarsest spacing"
    if named_axis is not None and named_axis != axis:
        axis, axis_from = named_axis, "the request"
    elif volume.slice_axis is not None:
        axis_from = "the series"
    elif volume.spacing[axis] <= COARSER * max(value for other, value in enumerate(volume.spacing) if other != axis):
        axis_from = "no axis being coarser than both others"
    lowest, highest = volume.voxels.min(), volume.voxels.max()
    flaw = _flaw(lowest, highest)
    label_map = volume.modality == SEGMENTATION or is_label_map(volume.voxels)
    looked_at = not (flaw or label_map)
    padding = padding_of(volume, axis) if looked_at else None
    outliers = outliers_of(volume.voxels, padding) if looked_at else None
    spacing = volume.spacing[axis]
    modality, modality_from = volume.modality, "the file"
    if not modality:
        ct = is_ct(volume.voxels, padding, outliers)
        modality, modality_from = ("CT", "voxels as low as air in HU") if ct else (None, "nobody")
    absent = absent_of(volume, padding, outliers, modality == "CT") if looked_at else None
    seen = volume if absent is None else absent.seen(volume, axis)
    thickness, thickness_from = volume.slice_thickness, "the file"
    if volume.slice_axis not in (None, axis) or not thickness or not is_plausible_thickness(thickness, spacing):
        thickness, thickness_from = spacing, "the slice spacing"
    if not looked_at:
        band = AcquiredBand.whole(volume, axis)
    elif acquired is not None:
        band = AcquiredBand.asked_for(volume, axis, acquired)
    else:
        band = detect_acquired_band(seen, axis)
    return Survey(
        volume=volume,
        absent=absent,
        seen=seen,
        slice_axis=axis,
        slice_axis_from=axis_from,
        modality=modality,
        modality_from=modality_from,
        thickness=thickness,
        thickness_from=thickness_from,
        magnitude=seen.is_magnitude,
        label_map=label_map,
        flaw=flaw,
        constant=bool(lowest == highest and np.isfinite(lowest)),
        band=band,
    )


def slice_axis(volume: Volume) -> int:
    """Return the axis across the slices: what the file says, else the one coarser than both others by 10 %, else k.

    It is k too where that has a single voxel and the file does not say.
    """
    if volume.slice_axis is not None:
        return volume.slice_axis
    spacing = volume.spacing
    finer, coarsest = sorted(spacing)[1:]
    if volume.dimensions[2] == 1 or coarsest <= COARSER * finer:
        return 2
    return spacing.index(coarsest)


def is_plausible_thickness(thickness: float, spacing: float) -> bool:
    """Return whether slices ``spacing`` mm apart can be ``thickness`` mm thick: a fifth to three times as much."""
    return 0.2 * spacing <= thickness <= 3 * spacing


def _flaw(lowest: float, highest: float) -> str:
    # Their extremes are NaN or infinite where any voxel is.
    if not np.isfinite([lowest, highest]).all():
        return "The volume holds NaN or infinite voxels; replace them (by 0, say) and try again."
    if lowest == highest:
        return (
            "All voxels of the volume are equal, so there is nothing to upscale; choose another volume, or carry an"
            " empty mask by --labels nearest."
        )
    return ""


def _levels(volume: Volume, axis: int, uncounted: np.ndarray | None) -> Levels:
    scale = IntensityScale.of(volume.voxels if uncounted is None else volume.voxels[~uncounted])
    slices = np.moveaxis(volume.voxels, 2 - axis, 0)
    chosen = np.unique(np.linspace(0, len(slices) - 1, NOISE_SLICES).round().astype(int))
    left_out = None if uncounted is None else np.moveaxis(uncounted, 2 - axis, 0)[chosen]
    corners = volume.voxels[:: max(1, volume.voxels.shape[0] - 1)][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    empty = float(scale.normalise(corners[:1, 0])[0]) if (corners == corners.flat[0]).all() else None
    return Levels(scale, noise_level(scale.normalise(slices[chosen]), left_out), empty)
