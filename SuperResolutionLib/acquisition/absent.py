"""Voxels in whose places nothing was measured, padding and outliers, and what the networks see there instead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..geometry.volume import Volume
from .outliers import FAR
from .padding import padding_of_ct

AIR = -1000
"""HU."""


@dataclass(frozen=True, eq=False)
class Absent:
    """What a scan holds that was not measured: no network sees it, no percentile counts it, and it comes back as it is.

    Attributes:
        mask: ``(k, j, i)`` bool, all such voxels; some are, and some are not.
        outliers: ``(k, j, i)`` bool, those that lie far beyond the range of all others; None where none do. The rest
            only fills the scan's box.
        is_air: whether the padding is seen as a CT's air, which counts, and not as the nearest measured voxels.
    """

    mask: np.ndarray
    outliers: np.ndarray | None
    is_air: bool

    @property
    def uncounted(self) -> np.ndarray | None:
        """Voxels ``(k, j, i)`` that do not count where something stands for them; None where all do."""
        return self.outliers if self.is_air else self.mask

    @property
    def outlier_count(self) -> int:
        """How many voxels are outliers."""
        return 0 if self.outliers is None else int(np.count_nonzero(self.outliers))

    @property
    def padding_percent(self) -> float:
        """How many of 100 voxels are padding."""
        return 100 * (np.count_nonzero(self.mask) - self.outlier_count) / self.mask.size

    @property
    def padding_sentence(self) -> str:
        """What becomes of the padding; "" where there is none."""
        if not self.padding_percent:
            return ""
        seen = "air" if self.is_air else "what lies nearest to it"
        return f"Padding, {self.padding_percent:.2g} % of the voxels, is seen as {seen} and comes back as it is."

    @property
    def outlier_sentence(self) -> str:
        """What becomes of the outliers; "" where there are none."""
        if self.outlier_count == 0:
            return ""
        voxels = "1 voxel lies" if self.outlier_count == 1 else f"{self.outlier_count} voxels lie"
        return (
            f"{voxels} more than {FAR:.0f} ranges beyond that of all others; what surrounds them is upscaled without"
            " them, and they come back as they are."
        )

    def seen(self, volume: Volume, across: int) -> Volume:
        """Return ``volume`` as the networks see it.

        Args:
            across: the axis across the slices, 0, 1, 2 for i, j, k.
        """
        if not self.is_air:
            return _with_nearest(volume, self.mask, across)
        air = np.array(AIR, volume.voxels.dtype)
        filled = replace(volume, voxels=np.where(self.mask, air, volume.voxels))
        return filled if self.outliers is None else _with_nearest(filled, self.outliers, across)


def absent_of(volume: Volume, padding: np.ndarray | None, outliers: np.ndarray | None, is_ct: bool) -> Absent | None:
    """Return what of a scan was not measured; None where all was.

    Args:
        padding: what ``padding_of`` found, ``(k, j, i)`` bool, or None; a CT may hold more.
        outliers: what ``outliers_of`` found beside it.
    """
    if is_ct:
        padding = padding_of_ct(volume.voxels, padding, certain=volume.modality == "CT")
    if padding is None:
        return None if outliers is None else Absent(outliers, outliers, False)
    if outliers is not None:
        outliers = outliers & ~padding
    mask = padding if outliers is None else padding | outliers
    # In HU something is negative, be it fat alone; and unsigned voxels are no HU.
    is_air = is_ct and volume.voxels.dtype.kind != "u" and bool(volume.voxels[~mask].min() < 0)
    return Absent(mask, outliers, is_air)


def _with_nearest(volume: Volume, absent: np.ndarray, across: int) -> Volume:
    """Return ``volume`` with the nearest voxel of the same slice in place of each ``absent`` one.

    In place of a slice that is wholly absent it is the nearest other slice.
    """
    voxels = volume.voxels.copy()
    slices, masks = (np.moveaxis(array, 2 - across, 0) for array in (voxels, absent))
    whole = masks.all(axis=(1, 2))
    for number in np.flatnonzero(masks.any(axis=(1, 2)) & ~whole):
        slices[number][masks[number]] = slices[number].ravel()[_nearest_present(masks[number])]
    present = np.flatnonzero(~whole)
    for number in np.flatnonzero(whole):
        slices[number] = slices[present[np.argmin(np.abs(present - number))]]
    return replace(volume, voxels=voxels)


def _nearest_present(mask: np.ndarray) -> np.ndarray:
    """Return for each voxel of ``mask``, ``(H, W)`` bool, the raveled index of the nearest one beyond it."""
    import SimpleITK as sitk

    numbers = np.where(mask, 0, np.arange(1, mask.size + 1).reshape(mask.shape))
    distances = sitk.DanielssonDistanceMapImageFilter()
    distances.InputIsBinaryOff()
    distances.Execute(sitk.GetImageFromArray(numbers.astype(np.uint32)))
    return sitk.GetArrayFromImage(distances.GetVoronoiMap())[mask].astype(np.int64) - 1
