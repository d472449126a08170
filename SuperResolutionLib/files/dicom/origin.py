"""A DICOM series that a result was made from, and which of its images lie where the result's slices do."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ...geometry.volume import Volume
from .series import DicomSeries

if TYPE_CHECKING:
    from pydicom import Dataset


class Origin:
    """A series beside a result.

    Args:
        movement: 4x4, from the series' place to where it lies in the result, RAS mm; None where that is the same.

    Attributes:
        series: the series. moved: whether it lies elsewhere in the result.
        to_source: 4x4, from the indices of the result's voxels to those of the series'.
    """

    def __init__(self, series: DicomSeries, result: Volume, movement: np.ndarray | None = None) -> None:
        movement = np.eye(4) if movement is None else movement
        self.series = series
        self.moved = not np.allclose(movement, np.eye(4), atol=1e-6)
        self._ijk_to_ras = movement @ series.volume.ijk_to_ras
        self.to_source = np.linalg.inv(self._ijk_to_ras) @ result.ijk_to_ras
        self._result = result

    def corners(self) -> np.ndarray:
        """Return where the corners of the series' box lie in the result: ``(8, 3)``, RAS mm."""
        return corners(self.series.volume) @ self._ijk_to_ras[:3].T

    def shows(self, k: int) -> bool:
        """Return whether slice ``k`` of the result lies in the series' box, in part at least."""
        at = self._slice(k) @ self.to_source[:3].T
        ends = np.array(self.series.volume.dimensions) - 0.5
        return bool((at.max(axis=0) > -0.5).all() and (at.min(axis=0) < ends).all())

    def images_at(self, k: int) -> list[Dataset]:
        """Return the headers of the images in whose slices slice ``k`` of the result lies, or else of the nearest."""
        across = self._slice(k) @ self.to_source[2]
        last = len(self.series.headers) - 1
        low = int(np.clip(np.floor(across.min() + 0.5 + 1e-3), 0, last))
        high = int(np.clip(np.ceil(across.max() - 0.5 - 1e-3), 0, last))
        return self.series.headers[low : max(low, high) + 1]

    def _slice(self, k: int) -> np.ndarray:
        columns, rows, _ = self._result.dimensions
        ends = itertools.product((0, columns - 1), (0, rows - 1), (k - 0.5, k + 0.5))
        return np.array([(*end, 1) for end in ends])


def corners(volume: Volume) -> np.ndarray:
    """Return the corners of a volume's box, in indices: ``(8, 4)``, the last one 1."""
    return np.array([(*at, 1.0) for at in itertools.product(*((-0.5, size - 0.5) for size in volume.dimensions))])
