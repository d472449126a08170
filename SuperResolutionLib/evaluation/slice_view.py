"""Which way up a slice is shown, and in which proportions."""

from __future__ import annotations

import numpy as np

from ..geometry.volume import Volume


class SliceView:
    """How the slices across one axis of a volume are shown: as a radiologist expects, in mm.

    Axial slices have anterior on top and the patient's right on the left; coronal ones superior on top and right on the
    left; sagittal ones superior on top and anterior on the left. Oblique slices are shown as what they are closest to.

    Attributes:
        left, top: the anatomical letter (R, L, A, P, S or I) at that edge of the picture.
    """

    def __init__(self, volume: Volume, across: int):
        self.across = across
        directions = volume.ijk_to_ras[:3, :3] / np.array(volume.spacing)
        column_axis, row_axis = (axis for axis in range(3) if axis != across)
        row, column = directions[:, row_axis], directions[:, column_axis]
        right, up = _edges_of_view(int(np.argmax(np.abs(np.cross(row, column)))))
        self._turned = abs(row @ right) + abs(column @ up) > abs(column @ right) + abs(row @ up)
        if self._turned:
            row, column = column, row
            row_axis, column_axis = column_axis, row_axis
        self._row_axis, self._column_axis = row_axis, column_axis
        self._mirrored, self._upside_down = column @ right < 0, row @ up > 0
        self.left = _letter(column if self._mirrored else -column)
        self.top = _letter(row if self._upside_down else -row)

    def image(self, volume: Volume, index: int) -> np.ndarray:
        """Return slice ``index`` of a volume with the same axes, as float32, row 0 on top and column 0 on the left."""
        image = np.take(volume.voxels, index, axis=2 - self.across).astype(np.float32)
        image = image.T if self._turned else image
        image = image[:, ::-1] if self._mirrored else image
        return image[::-1] if self._upside_down else image

    def pixel(self, volume: Volume) -> tuple[float, float]:
        """Return the width and height of a pixel in mm."""
        return volume.spacing[self._column_axis], volume.spacing[self._row_axis]

    def size(self, volume: Volume) -> tuple[float, float]:
        """Return the width and height of a picture in mm."""
        width, height = self.pixel(volume)
        return width * volume.dimensions[self._column_axis], height * volume.dimensions[self._row_axis]


def _edges_of_view(normal: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the RAS directions to the right and upwards of a picture across R (0), A (1) or S (2)."""
    right = np.array([0.0, -1.0, 0.0] if normal == 0 else [-1.0, 0.0, 0.0])
    up = np.array([0.0, 1.0, 0.0] if normal == 2 else [0.0, 0.0, 1.0])
    return right, up


def _letter(direction: np.ndarray) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("RAS" if direction[axis] > 0 else "LPI")[axis]
