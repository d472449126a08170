"""The volume: voxels and where they lie in space."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from ..errors import InputError
from .ras_axes import nearest_ras_axes

AXES = "ijk"
"""The names of the axes, in the order of indices, spacings and dimensions; arrays have them the other way round."""

Shares = tuple[Optional[float], Optional[float], Optional[float]]
"""How many samples were acquired for each that is stored, along i, j and k; None where nobody says."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From the mm of DICOM and SimpleITK, L, P and S, to those of a Volume, and back."""


@dataclass(frozen=True, eq=False, repr=False)
class Volume:
    """Voxels on a regular grid, immutable. All that passes between a file, an MRML node and a network is a Volume.

    Printed, it is one line in words; in a notebook it shows its three middle cuts.

    Attributes:
        voxels: ``(k, j, i)`` array of a real number type, in scanner units or HU; read-only.
        ijk_to_ras: 4x4 float64 matrix from voxel indices ``(i, j, k, 1)``, whose integers are voxel centres, to RAS mm.
        modality: the DICOM modality ("MR", "CT"), or None where it is not known.
        slice_thickness: of the acquired slices, in mm (DICOM's Slice Thickness), or None where it is not known.
        slice_axis: the axis across the acquired slices, 0, 1, 2 for i, j, k, or None where the file does not say.
        notes: what its reader had to decide and the user should know, a sentence each.
        padding: the lowest and the highest value of voxels that its file says were not measured, once or more often.
        acquired_shares: how many samples were acquired for each that is stored, along i, j and k: 1 where all were,
            less where the scanner filled k-space with zeros or interpolated; None where the file does not tell.
        acquired_from: who says so, such as ``the DICOM header``; None where nobody does.

    Raises:
        InputError: the array is not three-dimensional, is empty or is not real numbers, or the matrix is singular.
    """

    voxels: np.ndarray
    ijk_to_ras: np.ndarray
    modality: str | None = None
    slice_thickness: float | None = None
    slice_axis: int | None = None
    notes: tuple[str, ...] = ()
    padding: tuple[tuple[float, float], ...] = ()
    acquired_shares: Shares = (None, None, None)
    acquired_from: str | None = None

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels).view()
        matrix = np.array(self.ijk_to_ras, dtype=np.float64)
        if voxels.ndim != 3:
            raise InputError(f"The volume has {voxels.ndim} dimensions; choose a three-dimensional scalar volume.")
        if voxels.size == 0:
            raise InputError("The volume is empty; choose a volume with voxels.")
        if voxels.dtype.kind not in "iuf":
            raise InputError(f"The volume's voxels are {voxels.dtype}, not real numbers; choose a grey-scale volume.")
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
            raise InputError("The volume's IJK to RAS matrix is singular; mend the image's spacing and directions.")
        voxels.flags.writeable = False
        matrix.flags.writeable = False
        object.__setattr__(self, "voxels", voxels)
        object.__setattr__(self, "ijk_to_ras", matrix)

    @classmethod
    def of(
        cls, voxels: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), modality: str | None = None
    ) -> Volume:
        """Return the volume of an array alone: its axes i, j and k point to R, A and S, and voxel 0 lies at the origin.

        Args:
            voxels: ``(k, j, i)``. spacing: mm along i, j and k. modality: as of the class.

        Raises:
            InputError: as the class does; a spacing is not a positive number.

        Example::

            >>> Volume.of(np.zeros((20, 256, 256), np.int16), spacing=(1, 1, 3))
            Volume of 256 x 256 x 20 voxels, 1 x 1 x 3 mm, int16, axes to RAS
        """
        if len(spacing) != 3 or not all(0 < value < np.inf for value in spacing):
            raise InputError("A spacing is three positive numbers in mm, along i, j and k, such as (1, 1, 3).")
        return cls(voxels, np.diag([*map(float, spacing), 1.0]), modality)

    def __repr__(self) -> str:
        size, spacing = (" x ".join(f"{value:.4g}" for value in values) for values in (self.dimensions, self.spacing))
        modality = f", {self.modality}" if self.modality else ""
        return f"Volume of {size} voxels, {spacing} mm, {self.voxels.dtype}, axes to {self.orientation}{modality}"

    def _repr_png_(self) -> bytes:
        from .middle_cuts import middle_cuts_png

        return middle_cuts_png(self.voxels, self.ijk_to_ras)

    @property
    def orientation(self) -> str:
        """The directions, of L or R, P or A, I or S, that the axes i, j and k point to most nearly, such as ``LPS``."""
        letters = ("LR", "PA", "IS")
        axes = nearest_ras_axes(self.ijk_to_ras)
        return "".join(letters[axis][int(self.ijk_to_ras[axis, column] > 0)] for column, axis in enumerate(axes))

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """Number of voxels along i, j and k."""
        return tuple(reversed(self.voxels.shape))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of voxel centres along i, j and k, in mm."""
        i, j, k = (float(v) for v in np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0))
        return i, j, k

    @property
    def is_sheared(self) -> bool:
        """Whether the axes are not at right angles, by more than 0.06 degrees."""
        axes = self.ijk_to_ras[:3, :3] / np.array(self.spacing)
        return bool(np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3)

    @property
    def is_magnitude(self) -> bool:
        """Whether no voxel is negative, so that a negative one in a result of this volume would be wrong."""
        return bool(self.voxels.min() >= 0)

    def ras_bounds(self) -> np.ndarray:
        """Return ``[lowest R, A, S; highest R, A, S]`` in mm of the box that the voxels (not their centres) fill."""
        ends = [(-0.5, size - 0.5) for size in self.dimensions]
        corners = np.array([(*corner, 1.0) for corner in itertools.product(*ends)]) @ self.ijk_to_ras.T
        return np.stack([corners[:, :3].min(axis=0), corners[:, :3].max(axis=0)])

    def cropped(self, first: tuple[int, int, int], last: tuple[int, int, int]) -> Volume:
        """Return the voxels from index ``first`` up to, not including, ``last`` (both i, j, k), in the same place."""
        box = tuple(slice(low, high) for low, high in zip(reversed(first), reversed(last)))
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] += matrix[:3, :3] @ np.array(first, dtype=float)
        return replace(self, voxels=self.voxels[box], ijk_to_ras=matrix)


def refined_matrix(ijk_to_ras: np.ndarray, factors: tuple[float, float, float]) -> np.ndarray:
    """Return the IJK to RAS matrix of the grid whose voxels tile the old box, ``factors`` to one along i, j and k.

    The new spacing is old / factor, and voxel 0's centre moves by (1 / factor - 1) / 2 old voxels along each axis.
    Factors below 1 give the coarser grid that a degradation makes.
    """
    scale = 1.0 / np.asarray(factors, dtype=float)
    matrix = np.array(ijk_to_ras, dtype=np.float64)
    matrix[:3, 3] += matrix[:3, :3] @ ((scale - 1) / 2)
    matrix[:3, :3] *= scale
    return matrix
