"""Whether voxels are labels, not intensities: a mask, a label map, a segmentation."""

from __future__ import annotations

import numpy as np

SLICES = 16
FLAT_SHARE = 0.6
"""Of neighbours within the labelled part, more are equal in a label map; noise alone keeps a scan well below it."""
FEW = 16
"""Up to so many values a scan can have one constant part (air); with more there may be two (padding and air)."""


FULL = 255
"""Two values, of which one is as large as this, may also be black and white."""


def is_label_map(voxels: np.ndarray) -> bool | None:
    """Return whether ``voxels``, ``(k, j, i)``, are labels: integers from -1 that stand in patches of equal values.

    None says that they may be: there are two values, such as 0 and 255, in patches, or a single one, as in an empty
    mask.

    Looked at are up to 16 slices that are not constant. The most frequent value among equal neighbours is taken for
    what lies around the labels, and is not counted; of many values the second one neither. An image of two small
    values is a mask.
    """
    with np.errstate(invalid="ignore"):
        varied = np.flatnonzero(voxels.max(axis=(1, 2)) > voxels.min(axis=(1, 2)))
    if len(varied) == 0:
        return None if voxels.dtype.kind in "iu" or (voxels == np.rint(voxels)).all() else False
    chosen = varied[np.unique(np.linspace(0, len(varied) - 1, SLICES).round().astype(int))]
    slices = voxels[chosen]
    if slices.dtype.kind == "f" and not (np.isfinite(slices).all() and (slices == np.rint(slices)).all()):
        return False
    if slices.min() < -1:
        return False
    neighbours = [(slices[:, :, 1:], slices[:, :, :-1]), (slices[:, 1:], slices[:, :-1])]
    equal = np.concatenate([one[one == other] for one, other in neighbours])
    if equal.size < FLAT_SHARE * sum(one.size for one, _ in neighbours):
        return False
    found = np.unique(slices)
    if len(found) == 2:
        return True if found[1] < FULL else None
    values, counts = np.unique(equal, return_counts=True)
    around = values[np.argsort(counts)[::-1][: 1 if len(found) <= FEW else 2]]
    both_within = [~(np.isin(one, around) | np.isin(other, around)) for one, other in neighbours]
    pairs = sum(int(within.sum()) for within in both_within)
    flat = sum(int((one == other)[within].sum()) for (one, other), within in zip(neighbours, both_within))
    return flat > FLAT_SHARE * pairs
