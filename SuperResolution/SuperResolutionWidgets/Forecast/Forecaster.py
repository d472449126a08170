from __future__ import annotations

import math

from SuperResolutionLib.upscaling.plan import plan_upscale

from .Prospect import Prospect
from .RunTimes import RunTimes
from .Workload import Workload


class Forecaster:
    """Foretells a run from its input alone, without the engine's heavy imports."""

    PROGRAM_BYTES = 6e8
    """Python, PyTorch and the tiles in work; measured."""

    def __init__(self, runTimes: RunTimes):
        self._runTimes = runTimes

    def prospect(self, volume, request, acquiredSpacing=None, companions: int = 0) -> Prospect:
        """Return what the run of a request will make and need.

        Args:
            volume: a ``Volume``.
            request: an ``UpscaleRequest``.
            acquiredSpacing: mm along i, j and k, where the network starts from less than is stored.
            companions: how many volumes come with the result: what was added, the uncertainty.

        Raises:
            InputError: the engine refuses the request, or the region does not touch the volume.
        """
        plan = plan_upscale(volume, request)
        wanted = volume if request.region is None else volume.cropped(*volume.box_of_region(request.region))
        grid = plan.output_grid(wanted)
        voxels = math.prod(grid.dimensions)
        resultBytes = voxels * volume.voxels.dtype.itemsize
        finer = [old / new for old, new in zip(acquiredSpacing or volume.spacing, grid.spacing)]
        workload = Workload(
            request.device,
            f"{request.model or request.quality}{' new slices' * (plan.through is not None)}",
            math.ceil(max(finer[axis] for axis in range(3) if axis != plan.slice_axis) - 0.01),
            (8 if request.quality == "best" or request.uncertainty else 1) * voxels / 1e6,
            request.adapt,
            compact=plan.model is None or plan.model.quality == "fast",
        )
        seconds, measured = self._runTimes.seconds(workload)
        return Prospect(
            dimensions=tuple(int(size) for size in grid.dimensions),
            spacing=tuple(float(value) for value in grid.spacing),
            resultBytes=resultBytes,
            # The result is held by the engine, by its writer, and later by Slicer; companions are 4 bytes a voxel.
            memoryBytes=self.PROGRAM_BYTES + volume.voxels.nbytes + 3 * resultBytes + companions * 3 * 4 * voxels,
            seconds=seconds,
            measured=measured,
            addsSlices=plan.through is not None,
            workload=workload,
        )
