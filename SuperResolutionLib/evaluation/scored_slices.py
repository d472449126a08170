"""Only those slices of a stack upscaled that are scored, at the price of those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..acquisition.survey import survey
from ..geometry.ijk import with_along
from ..geometry.volume import Volume
from ..upscaling.plan import plan
from ..upscaling.request import UpscaleRequest
from ..upscaling.upscale import carry_out


def upscale_every(
    stack: Volume, step: int, request: UpscaleRequest, cancelled: Callable[[], bool] = lambda: False
) -> Volume:
    """Return every ``step``-th slice of ``stack`` upscaled, the same voxels as of upscaling all of it.

    The whole stack is surveyed, and a network that looks at the slices beside one is shown them.

    Args:
        request: one that leaves the slices where they are: its factor along the slice axis is 1.

    Raises:
        InputError, Cancelled: as ``upscale``.
    """
    scan = survey(stack, request.named_axis, request.acquired)
    if step == 1:
        return carry_out(plan(scan, request), cancelled=cancelled).volume
    axis = scan.slice_axis
    fine = []
    for number in range(0, stack.dimensions[axis], step):
        box = with_along((0, 0, 0), axis, number), with_along(stack.dimensions, axis, number + 1)
        fine.append(carry_out(plan(scan, replace(request, box=box)), cancelled=cancelled).volume)
    matrix = fine[0].ijk_to_ras.copy()
    matrix[:3, axis] *= step
    return Volume(np.concatenate([part.voxels for part in fine], axis=2 - axis), matrix, stack.modality)
