"""``superresolution batch``: every volume below a folder, or every study of a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from .exit_codes import CANCELLED, DONE, SOME_FAILED
from .fuse import add_fusion, fuse_request
from .options import Gone, add_acquisition, add_engine, add_grid, add_part_and_type, request
from .progress import NoProgress

FUSION_DEFAULTS = {"extent": "union", "motion": "stacks", "no_sharpening": False, "all_detail": False, "force": False}


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("batch", help="upscale every volume below a folder, or fuse the studies of a table")
    parser.add_argument("input", metavar="IN_DIR", help="folder of volumes and DICOM series folders, at any depth")
    parser.add_argument("output", metavar="OUT_DIR", help="gets the same folders and names, and summary.csv")
    add_grid(parser)
    add_part_and_type(parser)
    add_acquisition(parser)
    parser.add_argument("--added", action="store_true", help="also write NAME.added.nrrd, as upscale --added")
    parser.add_argument("--error", action="store_true", help="also write NAME.error.nrrd, as upscale --error")
    parser.add_argument("--uncertainty", action=Gone, help=argparse.SUPPRESS, instead="--error")
    parser.add_argument("--resume", action="store_true", help="skip what is there from the same input and options")
    fusion = parser.add_argument_group("several scans of each study", "instead of every volume by itself, see fuse")
    fusion.add_argument(
        "--fuse",
        metavar="TABLE",
        help="fuse the studies of this CSV table, a row each: columns output (below OUT_DIR), scan1, scan2, ... (below"
        " IN_DIR, the reference first) and, of a study folder, series1, series2, ...",
    )
    add_fusion(fusion)
    crew = parser.add_mutually_exclusive_group()
    crew.add_argument("--workers", type=int, default=1, metavar="N", help="volumes at a time, by dask (1)")
    crew.add_argument("--scheduler", metavar="ADDRESS", help="a running dask scheduler, such as tcp://host:8786")
    add_engine(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Upscale a folder, or fuse the studies of a table, and return the exit code."""
    _check_options(options)
    followed: dict[str, Any] = {
        "resume": options.resume,
        "workers": options.workers,
        "scheduler": options.scheduler,
        "compressed": not options.no_compression,
        "progress": progress,
        "finished": progress.file,
        "cancelled": stop,
    }
    if options.fuse:
        from ..cohort.studies import fuse_studies

        outcomes = fuse_studies(options.fuse, options.input, options.output, fuse_request(options), **followed)
    else:
        from ..cohort.folder import upscale_folder

        outcomes = upscale_folder(
            options.input,
            options.output,
            request(options, error=options.error, labels="found" if options.labels else None),
            added=options.added,
            **followed,
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


def _check_options(options: argparse.Namespace) -> None:
    """Raise InputError where an option has no meaning for what is done."""
    if options.fuse:
        shared = {"spacing", "output_type", "no_compression", "resume", "workers", "scheduler", "device", "progress"}
        others = set(vars(options)) - shared - FUSION_DEFAULTS.keys() - {"fuse", "input", "output", "run"}
        misplaced = [name for name in sorted(others) if getattr(options, name) not in (None, False, "standard")]
        if misplaced:
            raise InputError(f"--{misplaced[0].replace('_', '-')} does not go with --fuse; leave it out.")
        if isinstance(options.spacing, tuple):
            raise InputError("Fused volumes are isotropic; give --spacing one number.")
    else:
        misplaced = [name for name, default in FUSION_DEFAULTS.items() if getattr(options, name) != default]
        if misplaced:
            raise InputError(f"--{misplaced[0].replace('_', '-')} goes with --fuse TABLE; give that, or leave it out.")
