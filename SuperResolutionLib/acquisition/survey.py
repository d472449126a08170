"""The survey of a scan: what it is, looked at once, before anything is planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..geometry.grid import Grid
from ..geometry.intensity import IntensityScale
from ..geometry.volume import Volume
from .acquired_band import AcquiredBand, detect_acquired_band
from .band_crop import crop_to_band
from .label_map import is_label_map
from .noise import noise_level
from .slice_gains import SliceBands, find_slice_bands

CT_BELOW = -500
"""Of unsigned quantities only CT has voxels as low as this: air, at -1000 HU."""
COARSER = 1.1
"""The axis across the slices is known by its spacing where that is more than so many times that of both others."""
NOISE_SLICES = 16
SEGMENTATION = "SEG"
"""DICOM's modality of masks and label maps."""


@dataclass(frozen=True)
class Levels:
    """What the intensities of a scan are.

    Attributes:
        scale: the robust range of the whole volume.
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
        slice_axis: the axis across the slices, 0, 1, 2 for i, j, k.
        modality: the DICOM modality ("MR", "CT"), or None.
        thickness: of the slices in mm, the FWHM of their profile.
        magnitude: whether no voxel is negative, so that a negative one in a result would be wrong.
        label_map: whether its voxels are labels, not intensities; None where they may be (``is_label_map``).
        flaw: why the scan cannot be upscaled, in one sentence; "" where it can.
        band: the part of k-space that was acquired, along the axes of the slices.
    """

    volume: Volume = field(repr=False)
    slice_axis: int
    slice_axis_from: str
    modality: str | None
    modality_from: str
    thickness: float
    thickness_from: str
    magnitude: bool
    label_map: bool | None
    flaw: str
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
        return _levels(self.volume, self.slice_axis)

    @cached_property
    def acquired_volume(self) -> Volume:
        """The scan on the grid of the samples that were acquired: the scan itself where nothing was filled."""
        return crop_to_band(self.volume, self.band) if self.band.zero_filled else self.volume

    @cached_property
    def acquired(self) -> Levels:
        """The intensities of ``acquired_volume``, whose noise is another one."""
        return _levels(self.acquired_volume, self.slice_axis) if self.band.zero_filled else self.stored

    @cached_property
    def slice_bands(self) -> SliceBands | None:
        """How the slices differ in brightness by turns; None where they do not, and where no gain can be meant.

        Hounsfield units are absolute, and a gain is meant for magnitudes alone.
        """
        if self.modality == "CT" or self.label_map or not self.magnitude or self.flaw:
            return None
        return find_slice_bands(self.volume.voxels, self.grid, self.slice_axis)


def survey(volume: Volume, named_axis: int | None = None) -> Survey:
    """Return what a scan is.

    Args:
        named_axis: the slice axis, 0, 1, 2 for i, j, k, where the user names it (``UpscaleRequest.named_axis``).

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
    spacing = volume.spacing[axis]
    modality, modality_from = volume.modality, "the file"
    if not modality:
        is_ct = lowest <= CT_BELOW and not _is_signed_quantity(volume.voxels)
        modality, modality_from = ("CT", "voxels as low as air in HU") if is_ct else (None, "nobody")
    thickness, thickness_from = volume.slice_thickness, "the file"
    if volume.slice_axis not in (None, axis) or not thickness or not is_plausible_thickness(thickness, spacing):
        thickness, thickness_from = spacing, "the slice spacing"
    flaw = _flaw(lowest, highest)
    return Survey(
        volume=volume,
        slice_axis=axis,
        slice_axis_from=axis_from,
        modality=modality,
        modality_from=modality_from,
        thickness=thickness,
        thickness_from=thickness_from,
        magnitude=bool(lowest >= 0),
        label_map=modality == SEGMENTATION or is_label_map(volume.voxels),
        flaw=flaw,
        band=AcquiredBand.whole(volume, axis) if flaw else detect_acquired_band(volume, axis),
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


def _is_signed_quantity(voxels: np.ndarray) -> bool:
    """Return whether values beyond -500 and 500 are about as frequent, as those of a phase or a velocity.

    In CT air and lung outnumber dense bone and metal.
    """
    return bool(np.count_nonzero(voxels < CT_BELOW) < 2 * np.count_nonzero(voxels > -CT_BELOW))


def is_plausible_thickness(thickness: float, spacing: float) -> bool:
    """Return whether slices ``spacing`` mm apart can be ``thickness`` mm thick: a fifth to three times as much."""
    return 0.2 * spacing <= thickness <= 3 * spacing


def _flaw(lowest: float, highest: float) -> str:
    # Their extremes are NaN or infinite where any voxel is.
    if not np.isfinite([lowest, highest]).all():
        return "The volume holds NaN or infinite voxels; replace them (by 0, say) and try again."
    if lowest == highest:
        return "All voxels of the volume are equal, so there is nothing to upscale; choose another volume."
    return ""


def _levels(volume: Volume, axis: int) -> Levels:
    scale = IntensityScale.of(volume.voxels)
    slices = np.moveaxis(volume.voxels, 2 - axis, 0)
    chosen = np.unique(np.linspace(0, len(slices) - 1, NOISE_SLICES).round().astype(int))
    corners = volume.voxels[:: max(1, volume.voxels.shape[0] - 1)][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    empty = float(scale.normalise(corners[:1, 0])[0]) if (corners == corners.flat[0]).all() else None
    return Levels(scale, noise_level(scale.normalise(slices[chosen])), empty)
