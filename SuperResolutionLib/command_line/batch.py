"""``superresolution batch``: every volume below a folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from .exit_codes import CANCELLED, DONE, SOME_FAILED
from .options import Gone, add_acquisition, add_engine, add_grid, add_part_and_type, request
from .progress import NoProgress


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("batch", help="upscale every volume below a folder")
    parser.add_argument("input", metavar="IN_DIR", help="folder of volumes and DICOM series folders, at any depth")
    parser.add_argument("output", metavar="OUT_DIR", help="gets the same folders and names, and summary.csv")
    add_grid(parser)
    add_part_and_type(parser)
    add_acquisition(parser)
    parser.add_argument("--added", action="store_true", help="also write NAME.added.nrrd, as upscale --added")
    parser.add_argument("--error", action="store_true", help="also write NAME.error.nrrd, as upscale --error")
    parser.add_argument("--uncertainty", action=Gone, help=argparse.SUPPRESS, instead="--error")
    parser.add_argument("--resume", action="store_true", help="skip what is there from the same input and options")
    crew = parser.add_mutually_exclusive_group()
    crew.add_argument("--workers", type=int, default=1, metavar="N", help="volumes at a time, by dask (1)")
    crew.add_argument("--scheduler", metavar="ADDRESS", help="a running dask scheduler, such as tcp://host:8786")
    add_engine(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Upscale a folder and return the exit code."""
    from ..cohort.folder import upscale_folder

    outcomes = upscale_folder(
        options.input,
        options.output,
        request(options, error=options.error, labels="found" if options.labels else None),
        added=options.added,
        resume=options.resume,
        workers=options.workers,
        scheduler=options.scheduler,
        compressed=not options.no_compression,
        progress=progress,
        finished=progress.file,
        cancelled=stop,
    )
    progress.summary(options.output, outcomes)
    states = [outcome.state for outcome in outcomes]
    if "cancelled" in states:
        left = states.count("cancelled")
        progress.error(
            "cancelled", f"Cancelled; {left} of {len(states)} volumes are left, which --resume goes on with."
        )
        return CANCELLED
    return SOME_FAILED if "failed" in states else DONE
