"""All results of a cohort, in turn or several at a time, and the summary of what became of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import InputError
from ..files.whole_outputs import check_output_folder
from .attempt import Attempt
from .summary import SUMMARY, Outcome, write_summary
from .workers import run_by_dask


def run_all(
    tasks: Sequence[Attempt],
    output_folder: os.PathLike | str,
    workers: int,
    scheduler: str | None,
    progress: Callable[[int, int, str], None],
    finished: Callable[[int, int, Outcome], None],
    cancelled: Callable[[], bool],
) -> list[Outcome]:
    """Run the tasks, write the summary into ``output_folder`` and return the outcomes in the tasks' order.

    Args:
        workers, scheduler, progress, finished, cancelled: as of ``upscale_folder``.

    Raises:
        InputError: fewer than one worker; the output folder cannot be written; dask is not there.
    """
    if workers < 1:
        raise InputError(f"There cannot be {workers} workers; give 1 or more.")
    output_folder = Path(output_folder)
    try:
        output_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {output_folder} ({error.strerror}); choose another one.") from None
    check_output_folder(output_folder / SUMMARY)
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
    tasks: Sequence[Attempt], progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]
) -> Iterator[tuple[int, Outcome]]:
    for index, task in enumerate(tasks):
        place = f"{index + 1} of {len(tasks)}: {task.name}"
        yield index, task.run(_with_place(progress, place), cancelled)


def _with_place(progress: Callable[[int, int, str], None], place: str) -> Callable[[int, int, str], None]:
    """Return what passes progress on with ``place`` as its message."""
    return lambda done, total, message: progress(done, total, place)
