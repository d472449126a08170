"""Outliers: voxels so far outside a scan's range that nothing was measured there, such as fits that ran away."""

from __future__ import annotations

import numpy as np

from ..geometry.intensity import HIGH_PERCENTILE, LOW_PERCENTILE

FAR = 1e4
"""Robust ranges beyond which a voxel is an outlier: metal in CT is tens of them away, a hot spot in PET thousands."""
SAMPLED = 128
"""Along each axis so many voxels, or up to twice as many, show what values there are."""
ENOUGH = 10**6
"""So many values, or up to twice as many, tell the robust range."""


def sampled(voxels: np.ndarray) -> np.ndarray:
    """Return evenly spaced ones of ``voxels`` ``(k, j, i)``, a view."""
    return voxels[tuple(slice(None, None, max(1, size // SAMPLED)) for size in voxels.shape)]


def robust_range(values: np.ndarray) -> tuple[float, float] | None:
    """Return the ends of what nearly all ``values`` (any shape) lie within.

    Where nearly all of them are one value, such as a mask's 0, it is the range of that and of most others. None where
    all are equal, or none are there.
    """
    if not values.size:
        return None
    values = values.ravel()[:: max(1, values.size // ENOUGH)].astype(np.float64)
    low, high = np.percentile(values, [LOW_PERCENTILE, HIGH_PERCENTILE])
    if high <= low:
        others = values[values != low]
        if not others.size:
            return None
        # They are few, so that outliers may reach far into their tails.
        ends = np.percentile(others, [10, 90])
        low, high = min(low, ends[0]), max(high, ends[1])
    return float(low), float(high)


def plausible_limits(values: np.ndarray) -> tuple[float, float] | None:
    """Return the ends beyond which values are outliers among ``values`` (any shape); None where all are equal."""
    ends = robust_range(values)
    if ends is None:
        return None
    reach = FAR * (ends[1] - ends[0])
    return ends[0] - reach, ends[1] + reach


def outliers_of(voxels: np.ndarray, padding: np.ndarray | None = None) -> np.ndarray | None:
    """Return which of ``voxels`` ``(k, j, i)`` are outliers, bool; None where none are.

    Args:
        padding: voxels that are not looked at.
    """
    sample = sampled(voxels)
    limits = plausible_limits(sample if padding is None else sample[~sampled(padding)])
    if limits is None or (limits[0] <= voxels.min() and voxels.max() <= limits[1]):
        return None
    found = (voxels < limits[0]) | (voxels > limits[1])
    if padding is not None:
        found &= ~padding
    return found if found.any() else None
