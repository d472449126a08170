"""A step without a network: antialiased resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...geometry.grid import Grid
from ...geometry.intensity import as_scalar_type
from ...geometry.resampling import resampled
from ...geometry.volume import Volume
from ..run import Run, StepResult


@dataclass(frozen=True)
class Resample:
    """Brings a volume onto a grid with parallel axes; see ``geometry.resampling``.

    Attributes:
        grid: the grid. scalar_type: of the result, as numpy names it.
    """

    grid: Grid
    scalar_type: str

    @property
    def sentence(self) -> str:
        spacing = " x ".join(f"{value:.3g}" for value in self.grid.spacing)
        return f"Resampled to {spacing} mm without a network: the voxels are nearly as fine already."

    def run(self, volume: Volume, run: Run, error: Volume | None = None) -> StepResult:
        fine = resampled(volume, self.grid)
        values = np.maximum(fine.voxels, 0) if run.survey.magnitude else fine.voxels
        result = Volume(as_scalar_type(values, np.dtype(self.scalar_type)), fine.ijk_to_ras, fine.modality)
        return StepResult(result, {"kind": "resampling", "spacing_mm_ijk": [round(v, 6) for v in result.spacing]})
