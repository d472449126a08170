"""``superresolution fuse``: from several scans of one patient to one volume."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ..fusion.request import EXTENTS, MOTIONS, FuseRequest
from .exit_codes import DONE
from .progress import PROGRESS, NoProgress


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("fuse", help="make one volume of several scans of one patient in one contrast")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="IN",
        help="volumes or DICOM series folders, the reference first; or one folder of a study",
    )
    parser.add_argument("output", metavar="OUT", help=".nrrd, .nii.gz, .nii or .mha")
    parser.add_argument(
        "--series",
        action="append",
        default=[],
        metavar="N|UID",
        help="of a study folder: number or UID of a series to fuse, the reference first; once for each",
    )
    parser.add_argument("--spacing", type=float, metavar="MM", help="of the result; the scans' finest by default")
    add_fusion(parser)
    parser.add_argument("--output-type", choices=("input", "float"), default="input", help="scalar type of the result")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps")
    parser.add_argument("--report", metavar="FILE", help="also write what was done, as JSON")
    parser.add_argument("--no-compression", action="store_true", help="write faster and larger files")
    parser.add_argument("--progress", choices=tuple(PROGRESS), default="bar")
    parser.set_defaults(run=run)


def add_fusion(parser: argparse._ActionsContainer) -> None:
    """Add the options that say how scans are fused, and that no other command has."""
    parser.add_argument(
        "--extent",
        choices=EXTENTS,
        default="union",
        help="what a fused result covers: all that a scan shows, what all show, or what the first shows",
    )
    moved = parser.add_mutually_exclusive_group()
    moved.add_argument("--motion", choices=MOTIONS, default="stacks", help="what moved between the scans")
    moved.add_argument(
        "--no-registration", dest="motion", action="store_const", const="none", help="the scans' places are right"
    )
    parser.add_argument(
        "--no-sharpening", action="store_true", help="interpolate what no scan measured: quick, without a network"
    )
    parser.add_argument(
        "--all-detail", action="store_true", help="keep detail in which the scans do not agree, too: sharper, less sure"
    )
    parser.add_argument("--force", action="store_true", help="fuse scans that do not look alike")


def fuse_request(options: argparse.Namespace) -> FuseRequest:
    """Return the request that the options make."""
    return FuseRequest(
        spacing=options.spacing,
        motion=options.motion,
        extent=options.extent,
        sharpen=not options.no_sharpening,
        all_detail=options.all_detail,
        force=options.force,
        device=options.device,
        output_type=options.output_type,
    )


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Fuse the scans and return the exit code."""
    from ..fusion.files_to_file import fuse_files
    from ..fusion.sources import sources_of

    report = fuse_files(
        sources_of(options.inputs, options.series),
        options.output,
        fuse_request(options),
        report_file=options.report,
        compressed=not options.no_compression,
        progress=progress,
        cancelled=stop,
    )
    progress.result(str(options.output), report)
    return DONE
