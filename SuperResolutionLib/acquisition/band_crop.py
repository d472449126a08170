"""A zero-filled scan back on the grid of the samples that were acquired."""

from __future__ import annotations

import numpy as np

from ..geometry.intensity import as_scalar_type
from ..geometry.volume import Volume, refined_matrix
from .acquired_band import AcquiredBand


def crop_to_band(volume: Volume, band: AcquiredBand) -> Volume:
    """Return ``volume`` on the grid of the acquired samples, which tile its box, in its units and scalar type.

    Magnitude images stay free of negative voxels. It works slice by slice and adds no more than the result's memory.
    """
    voxels = np.empty(band.dimensions[::-1], volume.voxels.dtype)
    lowest = 0 if volume.is_magnitude else -np.inf
    columns, rows = (
        _band_weights(volume.dimensions[axis], band.dimensions[axis]) for axis in range(3) if axis != band.across
    )
    stored, cropped = (np.moveaxis(array, 2 - band.across, 0) for array in (volume.voxels, voxels))
    for source, target in zip(stored, cropped):
        target[:] = as_scalar_type(np.maximum(rows @ source @ columns.T, lowest), voxels.dtype)
    return Volume(voxels, refined_matrix(volume.ijk_to_ras, band.shares), volume.modality)


def _band_weights(count: int, kept: int) -> np.ndarray:
    """Return the ``(kept, count)`` matrix that keeps the ``kept`` central frequencies of a line of ``count`` samples.

    A bare crop samples at index 0 of the line; the phase ramp moves the samples to the centres of the larger voxels
    (``operators.kspace_crop_to`` does the same to magnitudes).
    """
    index = np.arange(kept) - kept // 2
    positions = (np.arange(kept) + 0.5) * count / kept - 0.5
    forward = np.exp(-2j * np.pi * np.outer(index, np.arange(count)) / count)
    back = np.exp(2j * np.pi * np.outer(positions, index) / count)
    return (back @ forward).real / count
