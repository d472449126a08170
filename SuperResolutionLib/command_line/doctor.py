"""``superresolution doctor``: whether all is well with the installation, or what a scan is."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from .exit_codes import BAD_INPUT, DONE
from .installation import Finding, check_installation
from .options import add_acquired, add_choice
from .progress import NoProgress


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("doctor", help="check the installation, or how a scan was acquired")
    parser.add_argument("scan", nargs="?", metavar="SCAN", help="say at which spacing this volume was acquired")
    add_choice(parser)
    add_acquired(parser)
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Say what was found and return the exit code."""
    findings = []
    about = check_scan(options.scan, options.series, options.echo, options.acquired) if options.scan else None
    for finding in about or check_installation():
        findings.append(finding)
        if not options.json:
            print(f"{'ok ' if finding.healthy else 'BAD'} {finding.subject}: {finding.text}")
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return DONE if all(finding.healthy for finding in findings) else BAD_INPUT


def check_scan(
    path: os.PathLike | str,
    series: str | None = None,
    echo: int | None = None,
    acquired: tuple[int, int] | None = None,
) -> Iterator[Finding]:
    """Yield at which spacing a scan is stored and was acquired, and where its slices lie, and who says so.

    Args:
        series, echo: as of ``read_volume``. acquired: as of ``survey``.

    Raises:
        InputError: it is not a volume that can be read, or its slices cannot have the acquired matrix.
    """
    from ..acquisition.acquired_band import NOBODY
    from ..acquisition.survey import survey
    from ..files.reading import read_volume
    from ..geometry.volume import AXES

    seen = survey(read_volume(path, series, echo), acquired=acquired)
    sentences = [seen.band.sentence()]
    if seen.band.acquired_from != NOBODY:
        sentences.append(f"So says {seen.band.acquired_from}.")
    if seen.label_map:
        sentences = ["It is a mask or a label map."]
    if seen.absent is not None:
        sentences += [seen.absent.padding_sentence, seen.absent.outlier_sentence]
    yield Finding(Path(path).name, True, " ".join(filter(None, [*sentences, *seen.volume.notes])))
    yield Finding(
        "slices",
        True,
        f"along {AXES[seen.slice_axis]} (so says {seen.slice_axis_from}), {seen.spacing[seen.slice_axis]:.4g} mm apart,"
        f" {seen.thickness:.4g} mm thick (so says {seen.thickness_from})",
    )
    if seen.slice_bands is not None:
        yield Finding("brightness", True, seen.slice_bands.sentence)
