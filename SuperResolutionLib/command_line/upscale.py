"""``superresolution upscale``: from a file to a finer one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .exit_codes import DONE
from .options import Gone, add_acquisition, add_choice, add_engine, add_grid, add_part_and_type, request
from .progress import NoProgress

if TYPE_CHECKING:
    from ..upscaling.warm import WarmEngine


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("upscale", help="write a finer volume")
    parser.add_argument("input", metavar="IN", help=".nrrd, .nii.gz, .mha, ..., a DICOM series folder or file")
    parser.add_argument("output", metavar="OUT", help=".nrrd, .nii.gz, .nii or .mha")
    add_choice(parser)
    add_grid(parser)
    add_part_and_type(parser)
    add_acquisition(parser)
    parser.add_argument("--added", metavar="FILE", help="also write the result minus B-spline interpolation")
    parser.add_argument("--error", metavar="FILE", help="also write by how much each voxel may be off (1 SD)")
    parser.add_argument("--uncertainty", action=Gone, help=argparse.SUPPRESS, instead="--error FILE")
    parser.add_argument("--report", metavar="FILE", help="also write what was done, as JSON")
    add_engine(parser)
    parser.set_defaults(run=run)


def run(
    options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool], engine: WarmEngine | None = None
) -> int:
    """Upscale one file, by an engine that is warm already where there is one, and return the exit code."""
    from ..upscaling.file_to_file import upscale_file

    by: dict[str, Any] = {} if engine is None else {"read": engine.read, "run": engine.upscale}
    report = upscale_file(
        options.input,
        options.output,
        request(options, error=bool(options.error)),
        series=options.series,
        echo=options.echo,
        added=options.added,
        error=options.error,
        report_file=options.report,
        compressed=not options.no_compression,
        progress=progress,
        cancelled=stop,
        **by,
    )
    progress.result(str(options.output), report)
    return DONE
