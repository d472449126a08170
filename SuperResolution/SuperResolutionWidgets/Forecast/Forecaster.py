from __future__ import annotations

import math

from .Prospect import Prospect
from .RunTimes import RunTimes
from .Workload import Workload


class Forecaster:
    """Foretells a run from its plan, before any of the engine's heavy imports."""

    START_BYTES = 0.6e9
    """Of the program with its packages."""
    FUSION_BYTES_A_VOXEL = 170
    """Of the result. 2.3 GB were measured for 10.1 million voxels of three scans."""

    def __init__(self, runTimes: RunTimes):
        self._runTimes = runTimes

    def prospect(self, plan, companions: int = 0, volumes: int = 1) -> Prospect:
        """Return what the run of a plan will make and need.

        Args:
            plan: a ``Plan``.
            companions: how many volumes come with the result: what was added, the expected error.
            volumes: how many are upscaled in this way, those of a sequence.
        """
        request, addsSlices = plan.request, plan.new_slices is not None
        plane = [factor for axis, factor in enumerate(plan.finer) if axis != plan.survey.slice_axis]
        workload = Workload(
            request.device,
            f"{request.model or request.quality}{' new slices' * addsSlices}",
            math.ceil(max(plane) - 0.01),
            volumes * plan.megavoxels,
            request.adapt,
            newSlices=addsSlices,
            compact=plan.slice_plane is None or plan.slice_plane.model.quality == "fast",
        )
        seconds, measured = self._runTimes.seconds(workload)
        voxels = math.prod(plan.grid.dimensions)
        return Prospect(
            dimensions=tuple(int(size) for size in plan.grid.dimensions),
            spacing=tuple(float(value) for value in plan.grid.spacing),
            resultBytes=volumes * plan.result_bytes,
            # Later Slicer holds the result as well; companions are 4 bytes a voxel, in three places, too.
            memoryBytes=plan.memory_bytes + volumes * plan.result_bytes + companions * 3 * 4 * voxels,
            seconds=seconds,
            measured=measured,
            addsSlices=addsSlices,
            workload=workload,
            volumes=volumes,
        )

    def prospectOfFusion(self, grid, volumes, device: str) -> Prospect:
        """Return what the fusion of several scans will make and need.

        Args:
            grid: of the result. volumes: the scans, the reference first. device: as the engine is asked for it.
        """
        voxels = math.prod(grid.dimensions)
        # New slices are made in each scan, and each is held against the result.
        megavoxels = len(volumes) * voxels / 1e6
        workload = Workload(device, "fusion", 1, megavoxels, newSlices=True)
        seconds, measured = self._runTimes.seconds(workload)
        resultBytes = voxels * volumes[0].voxels.itemsize
        return Prospect(
            dimensions=tuple(int(size) for size in grid.dimensions),
            spacing=tuple(float(value) for value in grid.spacing),
            resultBytes=resultBytes,
            memoryBytes=self.START_BYTES + voxels * self.FUSION_BYTES_A_VOXEL + resultBytes,
            seconds=seconds,
            measured=measured,
            addsSlices=True,
            workload=workload,
        )
