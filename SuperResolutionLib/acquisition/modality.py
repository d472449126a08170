"""The modality that voxels tell where nobody says it."""

from __future__ import annotations

import numpy as np

CT_BELOW = -500
"""Of unsigned quantities only CT has voxels as low as this: air, at -1000 HU."""


def is_ct(voxels: np.ndarray, padding: np.ndarray | None, outliers: np.ndarray | None) -> bool:
    """Return whether ``voxels``, ``(k, j, i)``, are HU: as low as air, or padded so, and no signed quantity.

    In CT air and lung outnumber dense bone and metal, while in a phase or a velocity values beyond -500 and 500 are
    about as frequent.

    Args:
        padding: ``(k, j, i)`` bool, or None; where it alone is as low, some other voxel must be negative, be it fat.
        outliers: ``(k, j, i)`` bool, or None; they tell nothing.
    """
    if outliers is not None:
        within = ~outliers
        voxels, padding = voxels[within], None if padding is None else padding[within]
    if voxels.min() > CT_BELOW:
        return False
    measured = voxels if padding is None else voxels[~padding]
    lowest = measured.min()
    if lowest > CT_BELOW:
        return bool(lowest < 0)
    return bool(np.count_nonzero(measured < CT_BELOW) >= 2 * np.count_nonzero(measured > -CT_BELOW))
