from __future__ import annotations

import math

from SuperResolutionLib.planning import plan_upscale, slice_axis
from SuperResolutionLib.volume import refined_matrix

from .Prospect import Prospect
from .RunTimes import RunTimes
from .Workload import Workload


class Forecast:
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
        plan_upscale(volume, request)
        across = slice_axis(volume)
        grid = self._grid(volume, request, across)
        voxels = math.prod(grid.dimensions)
        resultBytes = voxels * volume.voxels.dtype.itemsize
        finer = [old / new for old, new in zip(acquiredSpacing or volume.spacing, grid.spacing)]
        repeats = 8 if request.quality == "best" or request.uncertainty else 1
        workload = Workload(
            request.device,
            request.model or request.quality,
            math.ceil(max(finer[axis] for axis in range(3) if axis != across) - 0.01),
            repeats * voxels / 1e6,
        )
        seconds, measured = self._runTimes.seconds(workload)
        return Prospect(
            dimensions=tuple(grid.dimensions),
            spacing=tuple(float(value) for value in grid.spacing),
            resultBytes=resultBytes,
            # The result is held by the engine, by its writer, and later by Slicer; companions are 4 bytes a voxel.
            memoryBytes=self.PROGRAM_BYTES + volume.voxels.nbytes + 3 * resultBytes + companions * 3 * 4 * voxels,
            seconds=seconds,
            measured=measured,
            addsSlices=grid.dimensions[across] > self._wanted(volume, request).dimensions[across],
            workload=workload,
        )

    def _grid(self, volume, request, across: int):
        # Its SimpleITK would slow the start of Slicer.
        from SuperResolutionLib.resampling import Grid

        wanted = self._wanted(volume, request)
        grid = Grid(wanted.ijk_to_ras, wanted.dimensions)
        if request.isotropic:
            return grid.at_spacing((min(volume.spacing),) * 3)
        if request.spacing is not None:
            return grid.at_spacing(
                tuple(old if axis == across else request.spacing for axis, old in enumerate(volume.spacing))
            )
        factors = tuple(1 if axis == across else request.factor for axis in range(3))
        dimensions = tuple(size * factor for size, factor in zip(wanted.dimensions, factors))
        return Grid(refined_matrix(wanted.ijk_to_ras, factors), dimensions)

    def _wanted(self, volume, request):
        return volume if request.region is None else volume.cropped(*volume.box_of_region(request.region))
