"""Whole folders: find the volumes, upscale each, go on after a failure, skip what is done already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from ..errors import InputError
from ..files.whole_outputs import check_output_folder
from ..models.bundles import find_model
from ..upscaling.request import UpscaleRequest
from .finding import find_volumes
from .summary import SUMMARY, Outcome, write_summary
from .task import CohortTask
from .workers import run_by_dask


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
    if workers < 1:
        raise InputError(f"There cannot be {workers} workers; give 1 or more.")
    if request.model:
        find_model(request.model)
    volumes = find_volumes(input_folder, output_folder)
    output_folder = Path(output_folder)
    try:
        output_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {output_folder} ({error.strerror}); choose another one.") from None
    check_output_folder(output_folder / SUMMARY)
    tasks = [CohortTask(volume, request, added, resume, compressed) for volume in volumes]
    if scheduler or workers > 1:
        ended = run_by_dask(tasks, min(workers, len(tasks)), scheduler, progress, cancelled)
    else:
        ended = _run_in_turn(tasks, progress, cancelled)
    outcomes = {}
    for number, (index, outcome) in enumerate(ended, start=1):
        outcomes[index] = outcome
        finished(number, len(tasks), outcome)
    ordered = [outcomes[index] for index in range(len(tasks))]
    write_summary(ordered, output_folder / SUMMARY)
    return ordered


def _run_in_turn(
    tasks: list[CohortTask], progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]
) -> Iterator[tuple[int, Outcome]]:
    for index, task in enumerate(tasks):
        place = f"{index + 1} of {len(tasks)}: {task.volume.name}"
        yield index, task.run(_with_place(progress, place), cancelled)


def _with_place(progress: Callable[[int, int, str], None], place: str) -> Callable[[int, int, str], None]:
    """Return what passes progress on with ``place`` as its message."""
    return lambda done, total, message: progress(done, total, place)
