"""Voxels as a DICOM image of 16 bits holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DS_LENGTH = 16


@dataclass(frozen=True)
class StoredPixels:
    """16-bit stored values and their Modality LUT: value = ``slope`` * stored + ``intercept`` (PS3.3 C.11.1).

    Attributes:
        voxels: ``(k, j, i)``, the values.
        dtype: int16 or uint16, of the stored values.
        slope, intercept: decimal strings (VR DS).
        step: the distance of two values that can be told apart; 0 means that all values are exact.
    """

    voxels: np.ndarray
    dtype: np.dtype
    slope: str = "1"
    intercept: str = "0"
    step: float = 0.0

    @property
    def exact(self) -> bool:
        return self.step == 0

    def stored(self, k: int) -> np.ndarray:
        """Return the stored values of slice ``k``, little-endian."""
        values = self.voxels[k]
        if not self.exact:
            values = np.rint((values.astype(np.float64) - float(self.intercept)) / float(self.slope)).clip(0, 65535)
        return values.astype(self.dtype.newbyteorder("<"))


def store_pixels(voxels: np.ndarray) -> StoredPixels:
    """Return voxels as 16-bit integers: exact where they are integers of that range, else on 65536 even steps."""
    low, high = voxels.min(), voxels.max()
    whole = voxels.dtype.kind in "iu" or all((values == np.rint(values)).all() for values in voxels)
    for dtype in (np.int16, np.uint16) if voxels.dtype != np.uint16 else (np.uint16,):
        if whole and np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return StoredPixels(voxels, np.dtype(dtype))
    # Both ends are rounded outwards, so that no value falls off an end.
    intercept = _decimal(float(low), -1)
    slope = _decimal((float(high) - float(intercept)) / 65535 or 1.0, 1)
    return StoredPixels(voxels, np.dtype(np.uint16), slope, intercept, float(slope))


def _decimal(value: float, direction: int) -> str:
    """Return ``value`` as a decimal string of at most 16 characters, rounded up (1) or down (-1)."""
    for digits in range(15, 0, -1):
        text = f"{value:.{digits}g}"
        if (float(text) - value) * direction < 0:
            last = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
            text = f"{value + direction * last:.{digits}g}"
        if len(text) <= DS_LENGTH:
            break
    return text
