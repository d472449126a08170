"""What is learned of a scan: the blur and the noise by which its coarse slices come out of fine ones."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.whole_outputs import check_output_folder, temporary_name
from Training.degradation.learned.kernels import SUPPORT, full_width

FORMAT = "superresolution learned degradation 1"


@dataclass(frozen=True)
class LearnedDegradation:
    """How a scan's coarse slices come out of fine ones: blur, decimation, Rician noise.

    Attributes:
        rows, columns: the taps of the separable kernel down the rows (axis H) and along the columns (axis W) of the
            fine grid: ``5 * factor`` each, not negative, symmetric, of sum 1. Their middle is the middle of the
            coarse voxel: the half-voxel rule.
        factor: fine voxels per coarse voxel and axis.
        noise: SD of the Rician noise per channel, as a share of the scan's robust range.
        spacing: distance in mm of the coarse voxels down the rows and along the columns, or None where not known.

    Raises:
        InputError: the numbers are not such a degradation.
    """

    rows: tuple[float, ...]
    columns: tuple[float, ...]
    factor: int
    noise: float
    spacing: tuple[float, float] | None = None

    def __post_init__(self):
        for taps in (self.rows, self.columns):
            taps = np.array(taps)
            if taps.shape != (SUPPORT * self.factor,) or not (taps >= 0).all() or abs(taps.sum() - 1) > 1e-4:
                raise InputError(
                    f"A learned degradation of factor {self.factor} needs {SUPPORT * self.factor} taps per axis, none"
                    " negative, of sum 1; learn it again."
                )
            if np.abs(taps - taps[::-1]).max() > 1e-4:
                raise InputError("A kernel of the learned degradation is not symmetric; learn it again.")
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise InputError(f"The learned degradation's noise is {self.noise}, not 0 or more; learn it again.")

    @classmethod
    def of(
        cls, kernel: torch.Tensor, factor: int, noise: float = 0.0, spacing: tuple[float, float] | None = None
    ) -> LearnedDegradation:
        """Return the degradation by a ``kernel``, ``(2, 5 * factor)``: the taps of rows and columns, of any sum."""
        rows, columns = (tuple(taps.double().div(taps.double().sum()).tolist()) for taps in kernel)
        return cls(rows, columns, factor, noise, spacing)

    @property
    def kernel(self) -> np.ndarray:
        """The two-dimensional point-spread function, ``(5 * factor, 5 * factor)``, on the fine grid."""
        return np.outer(self.rows, self.columns)

    @property
    def fwhm_voxels(self) -> tuple[float, float]:
        """Full width at half maximum down the rows and along the columns, in coarse voxels."""
        return full_width(self.rows) / self.factor, full_width(self.columns) / self.factor

    @property
    def fwhm_mm(self) -> tuple[float, float] | None:
        """The same in mm, where the spacing is known."""
        return self.spacing and tuple(width * step for width, step in zip(self.fwhm_voxels, self.spacing))

    def check_factor(self, factor: int) -> None:
        """Raise InputError unless ``factor`` is the learned one."""
        if factor != self.factor:
            raise InputError(f"This degradation was learned for factor {self.factor}, not {factor}; learn it again.")

    def operator(self, image: torch.Tensor, factor: int) -> torch.Tensor:
        """Return ``(N, 1, H, W)`` blurred and decimated, ``(N, 1, H / factor, W / factor)``: ``A`` without its noise.

        Linear and used like those in ``SuperResolutionLib.acquisition.operators.OPERATORS``; the sides are multiples of
        the factor, and beyond the border the image goes on with its last voxel.

        Raises:
            InputError: ``factor`` is not the learned one.
        """
        self.check_factor(factor)
        margin = factor * (SUPPORT // 2)
        rows, columns = (torch.tensor(t, dtype=image.dtype, device=image.device) for t in (self.rows, self.columns))
        image = F.pad(image, (margin,) * 4, mode="replicate")
        image = F.conv2d(image, rows.reshape(1, 1, -1, 1), stride=(factor, 1))
        return F.conv2d(image, columns.reshape(1, 1, 1, -1), stride=(1, factor))

    def save(self, path: os.PathLike | str) -> None:
        """Write plain JSON, whole or not at all.

        Raises:
            InputError: the folder cannot be written.
        """
        check_output_folder(path)
        content = {"format": FORMAT, **asdict(self), "fwhm_voxels": self.fwhm_voxels, "fwhm_mm": self.fwhm_mm}
        partial = temporary_name(path)
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def load(cls, path: os.PathLike | str) -> LearnedDegradation:
        """Read what ``save`` wrote.

        Raises:
            InputError: no such file, or not such a file.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError
            return cls(
                rows=tuple(map(float, content["rows"])),
                columns=tuple(map(float, content["columns"])),
                factor=int(content["factor"]),
                noise=float(content["noise"]),
                spacing=content["spacing"] and tuple(map(float, content["spacing"])),
            )
        except InputError:
            raise
        except OSError:
            raise InputError(f"There is no file {path} that can be read; check the path.") from None
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{path} is not a learned degradation; make one with python -m Training.degradation.learned."
            ) from None
