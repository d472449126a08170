"""Padding: voxels that fill a scan's box where nothing was measured, as beyond a CT's circle or a turned image."""

from __future__ import annotations

import numpy as np

from ..geometry.volume import Volume
from .outliers import FAR, robust_range, sampled

AIR = ((0, 0), (-1024, -1000))
"""From and to: of a mask in any modality, and in CT."""
CT_PADDING = -2000
"""HU; nothing that a CT measures is as low."""
APART = 0.05
"""Padding lies farther from all that was measured than this share of its robust range."""


def padding_of(volume: Volume, across: int) -> np.ndarray | None:
    """Return which voxels are padding, ``(k, j, i)`` bool; None where none are.

    That is what the file says, and a constant value along the sides of slices; either counts only where it stands apart
    from all other values. What lies among them or next to them is seen as measured, and does no harm. What masks take
    for air never counts: 0 in MRI, -1000 to -1024 HU in CT.

    Args:
        across: the axis across the slices, 0, 1, 2 for i, j, k.
    """
    air = AIR if volume.modality in (None, "CT") else AIR[:1]
    found: np.ndarray | None = None
    while True:
        candidates = [*volume.padding, *_constants_at_sides(volume.voxels, across, found)]
        masks = (
            _padding_within(volume.voxels, low, high, found)
            for low, high in candidates
            if not any(low <= end and start <= high for start, end in air)
        )
        mask = next((mask for mask in masks if mask is not None), None)
        if mask is None:
            return found
        found = mask if found is None else found | mask


def padding_of_ct(voxels: np.ndarray, found: np.ndarray | None, certain: bool) -> np.ndarray | None:
    """Return which ``voxels`` of a CT, in HU, are padding: those ``found`` before, and all from -2000 HU down.

    Args:
        certain: whether its file says that it is a CT; else they count only where they stand apart.
    """
    low: np.ndarray | None
    if certain:
        low = voxels <= CT_PADDING
        low = None if not low.any() or robust_range(voxels[~low]) is None else low
    else:
        low = _padding_within(voxels, -np.inf, CT_PADDING, found)
    if low is None or found is None:
        return found if low is None else low
    return low | found


def _constants_at_sides(voxels: np.ndarray, across: int, found: np.ndarray | None) -> list[tuple[float, float]]:
    """Return, twice each, the lowest and the highest value that neighbours along the sides of a slice share."""
    shared = []
    slices = np.moveaxis(voxels, 2 - across, 0)
    left = None if found is None else ~np.moveaxis(found, 2 - across, 0)
    for side in ((slice(None), 0), (slice(None), -1), (slice(None), slice(None), 0), (slice(None), slice(None), -1)):
        line = slices[side]
        equal = line[:, 1:] == line[:, :-1]
        shared.append(line[:, 1:][equal if left is None else equal & left[side][:, 1:]])
    values = np.concatenate(shared)
    return [(float(value), float(value)) for value in (values.min(), values.max())] if values.size else []


def _padding_within(voxels: np.ndarray, low: float, high: float, found: np.ndarray | None) -> np.ndarray | None:
    """Return which ``voxels`` lie from ``low`` to ``high``, if they stand apart from all that were not ``found``."""
    # A sample nearly always says that they do not, and is sooner looked at.
    for values, known in ((sampled(voxels), None if found is None else sampled(found)), (voxels, found)):
        within = (values >= low) & (values <= high)
        others = values[~within if known is None else ~(within | known)]
        if not _stands_apart(low, high, others, voxels):
            return None
    if found is not None:
        within &= ~found
    return within if within.any() else None


def _stands_apart(low: float, high: float, others: np.ndarray, voxels: np.ndarray) -> bool:
    ends = robust_range(others)
    if ends is None:
        return False
    span = ends[1] - ends[0]
    ordinary = others[(others >= ends[0] - FAR * span) & (others <= ends[1] + FAR * span)]
    lowest, highest = float(ordinary.min()), float(ordinary.max())
    apart = max(APART * span, 2.0) if voxels.dtype.kind in "iu" else APART * span
    # A magnitude has no negative values, however close to its air.
    return high < lowest - apart or low > highest + apart or high < 0 <= lowest
