"""Whole folders: find the volumes, upscale each, go on after a failure, skip what is done already."""

from __future__ import annotations

import os
from typing import Callable

from ..models.bundles import find_model
from ..upscaling.request import UpscaleRequest
from .finding import find_volumes
from .running import run_all
from .summary import Outcome
from .task import CohortTask


def upscale_folder(
    input_folder: os.PathLike | str,
    output_folder: os.PathLike | str,
    request: UpscaleRequest | None = None,
    *,
    added: bool = False,
    resume: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    compressed: bool = True,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    finished: Callable[[int, int, Outcome], None] = lambda number, total, outcome: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """Upscale every volume below a folder; one that fails does not stop the rest. Return what became of each, by name.

    Beside each result ``NAME`` lies its report ``NAME.json``, and in the output folder ``summary.csv``. Old results are
    replaced. A cancelled run keeps what is done, and the outcomes of the rest are ``cancelled``.

    Args:
        added: also write the results minus B-spline interpolation, ``NAME.added.nrrd``.
        resume: skip a volume whose result is there, whole, with a report of the same ``fingerprint``.
        workers: volumes at a time, each in a process of its own that gets its share of the processor; needs dask.
        scheduler: address of a running dask scheduler, whose workers see the same folders, in its own thread settings.
        progress: called as ``progress(done, total, message)`` after each slice, or each volume with several workers.
        finished: called as ``finished(number, total, outcome)`` after each volume; ``number`` counts from 1.
        cancelled: polled after each tile.

    Raises:
        InputError: as ``find_volumes``; the output folder cannot be written; no such model; dask is not there.

    Example::

        outcomes = upscale_folder("scans", "scans_x2", UpscaleRequest(factor=2), resume=True)
        print([outcome.name for outcome in outcomes if outcome.state == "failed"])
    """
    request = request or UpscaleRequest()
    if request.model:
        find_model(request.model)
    volumes = find_volumes(input_folder, output_folder)
    tasks = [CohortTask(resume, compressed, volume, request, added) for volume in volumes]
    return run_all(tasks, output_folder, workers, scheduler, progress, finished, cancelled)
