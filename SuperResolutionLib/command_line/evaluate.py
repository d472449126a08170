"""``superresolution evaluate``: sharp volumes degraded, upscaled and scored."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .exit_codes import DONE
from .options import add_engine, request
from .progress import NoProgress

if TYPE_CHECKING:
    from ..geometry.volume import Volume


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("evaluate", help="degrade sharp volumes and measure ours against interpolation")
    parser.add_argument("inputs", nargs="+", metavar="HR", help="sharp volumes")
    parser.add_argument("--factor", type=int, default=4, metavar="F")
    parser.add_argument(
        "--degradation",
        action="append",
        metavar="NAME",
        help="area, bicubic, kspace, kspace-noise (2 %%), kspace-noise5 (5 %%) or kspace-soft; all by default",
    )
    parser.add_argument(
        "--plane",
        action="append",
        type=_plane,
        metavar="[NAME=]AXES",
        help="the sharp plane of all volumes, or of the file NAME, such as ik; the slice plane by default",
    )
    parser.add_argument("--slices", type=int, default=24, metavar="N", help="slices a volume (24)")
    parser.add_argument("--out", metavar="DIR", help="write table.md, records.json and figure.png here")
    add_engine(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """Evaluate, print the table and return the exit code."""
    from ..evaluation.evaluate import evaluate
    from ..evaluation.examples_figure import evaluation_figure
    from ..evaluation.scored_slices import upscale_every
    from ..evaluation.table import format_table
    from ..evaluation.truths import DEGRADATIONS
    from ..files.whole_outputs import check_apart, check_output_folder, write_text

    planes = dict(options.plane or ())
    if options.out:
        folder = Path(options.out)
        check_output_folder(folder)
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file; give a folder for --out.")
        for path in options.inputs:
            check_apart(path, [folder / name for name in ("table.md", "records.json", "figure.png")])
        folder.mkdir(exist_ok=True)

    def ours(stack: Volume, factors: tuple[int, int, int], step: int) -> Volume:
        return upscale_every(stack, step, request(options, factor=factors), stop)

    evaluation = evaluate(
        options.inputs,
        options.factor,
        options.degradation or DEGRADATIONS,
        ours,
        plane=planes.get(None) or planes,
        most_slices=options.slices,
        progress=progress,
    )
    print(format_table(evaluation.records))
    if options.out:
        write_text(folder / "table.md", format_table(evaluation.records, "markdown") + "\n")
        write_text(folder / "records.json", json.dumps(evaluation.records, indent=1) + "\n")
        evaluation_figure(evaluation.examples, folder / "figure.png")
    return DONE


def _plane(text: str) -> tuple[str | None, str]:
    name, _, axes = text.rpartition("=")
    return (name or None, axes)
