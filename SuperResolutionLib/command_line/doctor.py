"""``superresolution doctor``: whether all is well with the installation, or what a scan is."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from .exit_codes import BAD_INPUT, DONE
from .installation import Finding, check_installation
from .progress import NoProgress


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("doctor", help="check the installation, or how a scan was acquired")
    parser.add_argument("scan", nargs="?", metavar="SCAN", help="say at which spacing this volume was acquired")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Say what was found and return the exit code."""
    findings = []
    for finding in [check_scan(options.scan)] if options.scan else check_installation():
        findings.append(finding)
        if not options.json:
            print(f"{'ok ' if finding.healthy else 'BAD'} {finding.subject}: {finding.text}")
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    return DONE if all(finding.healthy for finding in findings) else BAD_INPUT


def check_scan(path: os.PathLike | str) -> Finding:
    """Return at which spacing a scan is stored and was acquired, and what ``upscale`` makes of that.

    Raises:
        InputError: it is not a volume that can be read.
    """
    from ..acquisition.survey import survey
    from ..files.reading import read_volume

    scan = survey(read_volume(path))
    kind = "It is a mask or a label map." if scan.label_map else scan.band.sentence()
    return Finding(Path(path).name, True, " ".join([kind, *scan.volume.notes]))
