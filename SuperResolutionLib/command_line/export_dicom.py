"""``superresolution export-dicom``: a result as a derived series of its study."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from .exit_codes import DONE
from .options import add_choice
from .progress import NoProgress


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("export-dicom", help="write a result as a derived DICOM series")
    parser.add_argument("source", metavar="IN_SERIES", help="folder of the DICOM series that was upscaled")
    parser.add_argument("result", metavar="RESULT", help="its result, .nrrd, .nii.gz, ...")
    parser.add_argument("output", metavar="OUT_DIR", help="a new or empty folder")
    add_choice(parser)
    parser.add_argument("--error", action="store_true", help="RESULT is the expected error that upscale --error wrote")
    parser.add_argument("--report", metavar="FILE", help="upscale's report; RESULT.json by default, where it is there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Write the series and return the exit code."""
    from ..files.dicom.export import export_dicom
    from ..files.reading import read_volume
    from ..upscaling.report import SCHEMA_VERSION

    path = Path(options.report or f"{options.result}.json")
    report = None
    if options.report or path.is_file():
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            known = report["schema_version"] == SCHEMA_VERSION
        except (OSError, ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise InputError(f"{path} is not a report of upscale; give the one that was made with the result.")
    result = read_volume(options.result)
    choice = {"series": options.series, "echo": options.echo}
    uid = export_dicom(options.source, result, options.output, report, stop, **choice, is_error=options.error)
    print(f"{options.output}: {result.dimensions[2]} images, series {uid}")
    return DONE
