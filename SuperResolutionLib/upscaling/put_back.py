"""What no network saw, padding and outliers, comes back at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..acquisition.survey import Survey
from ..geometry.grid import Grid
from ..geometry.nearest import nearest_indices
from ..geometry.volume import Volume


def put_back(survey: Survey, fine: Volume, error: Volume | None = None) -> tuple[Volume, Volume | None]:
    """Return ``fine`` with each voxel that lies in an absent one of the scan as that is, and there no expected error.

    Args:
        fine, error: on grids with axes parallel to the scan's; given back where nothing is absent.
    """
    if survey.absent is None:
        return fine, error
    voxels = fine.voxels.copy()
    for target, number, within, absent in _absent_in(survey, fine):
        voxels[target][absent] = _held(survey.volume.voxels[number][within][absent], voxels.dtype)
    return replace(fine, voxels=voxels), None if error is None else zeroed(survey, error)


def zeroed(survey: Survey, fine: Volume) -> Volume:
    """Return ``fine`` with 0 in each voxel that lies in an absent one of the scan; see ``put_back``."""
    if survey.absent is None:
        return fine
    voxels = fine.voxels.copy()
    for target, _, _, absent in _absent_in(survey, fine):
        voxels[target][absent] = 0
    return replace(fine, voxels=voxels)


def _absent_in(survey: Survey, fine: Volume) -> Iterator[tuple[int, int, tuple[np.ndarray, ...], np.ndarray]]:
    """Yield index k of a fine slice, k of the scan's slice there, its voxels at the fine ones, and which are absent."""
    assert survey.absent is not None
    columns, rows, slices = nearest_indices(survey.grid, Grid.of(fine))
    within = np.ix_(rows, columns)
    for target, number in enumerate(slices):
        absent = survey.absent.mask[number][within]
        if absent.any():
            yield target, number, within, absent


def _held(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return float64 values as float32 holds them, the largest ones instead of infinity; others as they are."""
    if dtype.kind != "f" or values.dtype.kind != "f":
        return values
    return values.clip(np.finfo(dtype).min, np.finfo(dtype).max)
