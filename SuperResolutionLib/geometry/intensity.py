"""Robust intensity normalisation of a whole volume, and its inverse in the volume's own scalar type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5


@dataclass(frozen=True)
class IntensityScale:
    """The affine map from a volume's units (HU, scanner units) to the networks' units: ``(v - low) / span``.

    ``low`` and ``high`` are the robust range: the 0.5th and 99.5th percentile of the *whole* volume, never of a slice,
    so that slices do not flicker. Values beyond ``high`` map above 1 and are not clipped.
    """

    low: float
    high: float

    @classmethod
    def of(cls, voxels: np.ndarray) -> IntensityScale:
        """Return the robust range of ``voxels`` (any shape); the full range where the robust one is empty.

        Raises:
            ValueError: all voxels are equal.
        """
        low, high = (float(v) for v in np.percentile(voxels, [LOW_PERCENTILE, HIGH_PERCENTILE]))
        if high <= low:
            low, high = float(voxels.min()), float(voxels.max())
        if high <= low:
            raise ValueError("the volume is constant")
        return cls(low, high)

    @property
    def span(self) -> float:
        """The robust range, in the volume's units."""
        return self.high - self.low

    @property
    def zero(self) -> float:
        """The value 0 of the volume's units in the networks' units."""
        return -self.low / self.span

    def normalise(self, voxels: np.ndarray) -> np.ndarray:
        """Return ``voxels`` as float32 in the networks' units."""
        return ((voxels.astype(np.float64) - self.low) / self.span).astype(np.float32)

    def denormalise(self, voxels: np.ndarray) -> np.ndarray:
        """Return normalised ``voxels`` in the volume's units, as float64."""
        return voxels.astype(np.float64) * self.span + self.low


def as_scalar_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return ``values`` (any shape) as ``dtype``: rounded and clamped to its limits where it is an integer type."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return values.astype(dtype)
    if values.ndim < 3:
        return _as_integers(values, dtype)
    # Slice by slice: rounded and clamped, the whole would lie in memory twice more.
    result = np.empty(values.shape, dtype)
    for slice_, target in zip(values, result):
        target[:] = _as_integers(slice_, dtype)
    return result


def _as_integers(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    values = np.rint(values)
    highest = values.dtype.type(limits.max)
    if float(highest) <= limits.max:
        return np.clip(values, limits.min, highest).astype(dtype)
    # float32 rounds the limit of 32 bits up, and float64 that of 64 bits: beyond the type, where a cast wraps.
    result = np.clip(values, limits.min, np.nextafter(highest, values.dtype.type(0))).astype(dtype)
    result[values >= highest] = limits.max
    return result
