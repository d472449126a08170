"""``superresolution export-dicom``: a result as a derived series of its study."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from .exit_codes import DONE
from .progress import NoProgress


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("export-dicom", help="write a result as a derived DICOM series")
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="IN_SERIES",
        help="folder of the DICOM series that was upscaled; of a fused result its series, named as for fuse",
    )
    parser.add_argument("result", metavar="RESULT", help="its result, .nrrd, .nii.gz, ...")
    parser.add_argument("output", metavar="OUT_DIR", help="a new or empty folder")
    parser.add_argument(
        "--series",
        action="append",
        default=[],
        metavar="UID",
        help="which DICOM series, where the folder holds several; of a fused result once for each, by number too",
    )
    parser.add_argument("--echo", type=int, metavar="N", help="which echo of it, 1 for the shortest echo time")
    parser.add_argument("--error", action="store_true", help="RESULT is the expected error that upscale --error wrote")
    parser.add_argument(
        "--report", metavar="FILE", help="upscale's or fuse's report; RESULT.json by default, where it is there"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Write the series and return the exit code."""
    from ..files.dicom.export import export_dicom
    from ..files.reading import read_volume
    from ..fusion.sources import sources_of
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
            raise InputError(f"{path} is not a report of upscale or fuse; give the one that was made with the result.")
    result = read_volume(options.result)
    is_fused = any(step["kind"] == "fusion" for step in (report or {}).get("steps", []))
    if is_fused or len(options.sources) > 1 or len(options.series) > 1:
        if options.echo is not None:
            raise InputError("An echo is chosen of one series that was upscaled; leave out --echo.")
        first, *others = [(source.path, source.series) for source in sources_of(options.sources, options.series)]
    else:
        first, others = (options.sources[0], options.series[0] if options.series else None), []
    folder, series = first
    choice = {"series": series, "echo": options.echo, "others": others}
    uid = export_dicom(folder, result, options.output, report, stop, **choice, is_error=options.error)
    print(f"{options.output}: {result.dimensions[2]} images, series {uid}")
    return DONE
