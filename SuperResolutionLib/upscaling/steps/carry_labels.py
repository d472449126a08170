"""A step without a network: labels, carried onto a finer grid as they are."""

from __future__ import annotations

from dataclasses import dataclass

from ...geometry.grid import Grid
from ...geometry.nearest import at_nearest
from ...geometry.volume import Volume
from ..run import Run, StepResult


@dataclass(frozen=True)
class CarryLabels:
    """Gives each voxel of a grid with parallel axes the value of the voxel that its centre lies in.

    Attributes:
        grid: the grid. scalar_type: of the result, as numpy names it.
    """

    grid: Grid
    scalar_type: str

    @property
    def sentence(self) -> str:
        return "Each new voxel takes the label of the nearest one; no network runs."

    def run(self, volume: Volume, run: Run, error: Volume | None = None) -> StepResult:
        voxels = at_nearest(volume.voxels, Grid.of(volume), self.grid).astype(self.scalar_type, copy=False)
        result = Volume(voxels, self.grid.ijk_to_ras, volume.modality)
        return StepResult(result, {"kind": "labels", "spacing_mm_ijk": [round(v, 6) for v in result.spacing]})
