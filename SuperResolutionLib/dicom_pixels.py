"""Voxels as a DICOM image of 16 bits holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DS_LENGTH = 16


@dataclass(frozen=True)
class StoredPixels:
    """16-bit stored values and their Modality LUT: value = ``slope`` * stored + ``intercept`` (PS3.3 C.11.1).

    ``slope`` and ``intercept`` are decimal strings (VR DS). ``step`` is the distance of two values that can be told
    apart; 0 means that all values are exact.
    """

    stored: np.ndarray
    slope: str = "1"
    intercept: str = "0"
    step: float = 0.0

    @property
    def exact(self) -> bool:
        return self.step == 0


def store_pixels(voxels: np.ndarray) -> StoredPixels:
    """Return voxels as 16-bit integers: exact where they are integers of that range, else on 65536 even steps."""
    low, high = voxels.min(), voxels.max()
    whole = voxels.dtype.kind in "iu" or bool((voxels == np.rint(voxels)).all())
    for dtype in (np.int16, np.uint16) if voxels.dtype != np.uint16 else (np.uint16,):
        if whole and np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return StoredPixels(voxels.astype(dtype))
    low, high = float(low), float(high)
    # Both ends are rounded outwards, so that no value falls off an end.
    intercept = _decimal(low, -1)
    slope = _decimal((high - float(intercept)) / 65535 or 1.0, 1)
    stored = np.rint((voxels.astype(np.float64) - float(intercept)) / float(slope))
    return StoredPixels(stored.clip(0, 65535).astype(np.uint16), slope, intercept, float(slope))


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
