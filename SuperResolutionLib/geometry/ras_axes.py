"""Which way a grid lies in the patient."""

from __future__ import annotations

import itertools

import numpy as np


def nearest_ras_axes(ijk_to_ras: np.ndarray) -> tuple[int, int, int]:
    """Return the RAS axis, 0, 1 or 2, that each of the axes i, j and k runs along most nearly, each taken once."""
    directions = np.abs(ijk_to_ras[:3, :3]) / np.linalg.norm(ijk_to_ras[:3, :3], axis=0)
    return max(itertools.permutations(range(3), 3), key=lambda axes: sum(directions[axes[n], n] for n in range(3)))
