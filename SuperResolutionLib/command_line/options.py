"""The options that several commands share, and the request that they make."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..geometry.ijk import ijk
from .progress import PROGRESS

if TYPE_CHECKING:
    from ..geometry.grid import Box
    from ..upscaling.request import UpscaleRequest


class Gone(argparse.Action):
    """An option that there was: whoever gives it is told what there is instead."""

    def __init__(self, *arguments: Any, instead: str, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "nargs": "?"})
        self.instead = instead

    def __call__(self, *arguments: Any, **options: Any) -> None:
        raise InputError(
            f"{self.option_strings[0]} has gone; use {self.instead}, which tells how far off a result may be."
        )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose among the DICOM images of a folder or file."""
    parser.add_argument("--series", metavar="UID", help="which DICOM series, where the folder holds several")
    parser.add_argument("--echo", type=int, metavar="N", help="which echo of it, 1 for the shortest echo time")


def add_grid(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide the output grid."""
    grid = parser.add_mutually_exclusive_group()
    grid.add_argument(
        "--factor", type=_factor, metavar="F", help="4 for the slice plane, or 1x1x4, 2x2x2, ... (i x j x k)"
    )
    grid.add_argument("--spacing", type=_spacing, metavar="MM", help="0.5 for the slice plane, or 0.5x0.5x2")
    grid.add_argument("--isotropic", action="store_true", help="all axes to the finest spacing")


def add_part_and_type(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a part of the scan, and how the result is stored."""
    parser.add_argument("--region", type=_region, metavar="R,A,S,R,A,S", help="two corners of a box, mm")
    parser.add_argument(
        "--box", type=_box, metavar="I,J,K,I,J,K", help="only the voxels from the first index to before the second"
    )
    parser.add_argument("--output-type", choices=("input", "float"), default="input", help="scalar type of the result")
    parser.add_argument(
        "--labels", choices=("nearest",), help="carry masks and label maps exactly; without it they are refused"
    )
    parser.add_argument("--no-compression", action="store_true", help="write faster and larger files")


def add_acquisition(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the scan was acquired."""
    band = parser.add_mutually_exclusive_group()
    band.add_argument(
        "--as-stored", action="store_true", help="do not crop a zero-filled scan to its acquired band first"
    )
    add_acquired(band)
    parser.add_argument(
        "--thickness", type=float, metavar="MM", help="of the slices; by default what DICOM says, or else their spacing"
    )
    parser.add_argument(
        "--adapt", action="store_true", help="let the network for new slices learn from this scan first (minutes)"
    )
    parser.add_argument(
        "--level",
        action="store_true",
        help="even out slices that differ in brightness by turns, where new ones are made",
    )


def add_acquired(parser: argparse._ActionsContainer) -> None:
    """Add the option that states the acquired matrix."""
    parser.add_argument(
        "--acquired",
        type=_matrix,
        metavar="NxN",
        help="samples acquired along the slices' two axes, in the order i x j x k, such as 256x230 of 512 x 460 stored;"
        " by default what the file says, or else its spectrum",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the network and where and how it runs."""
    parser.add_argument("--model", metavar="NAME|DIR", help="an installed model's name, or a model folder")
    parser.add_argument("--detail", type=float, metavar="0..1", help="0 fidelity, 1 perceptual; the model's default")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps")
    parser.add_argument("--quality", choices=("fast", "standard", "best"), default="standard")
    parser.add_argument(
        "--grain",
        type=float,
        metavar="0..1",
        help="the share of the measured grain, which the network smooths away, to add back; by default half of it in"
        " flat tissue",
    )
    parser.add_argument("--no-consistency", action="store_true", help="do not hold the measured band")
    parser.add_argument("--progress", choices=tuple(PROGRESS), default="bar")


def request(options: argparse.Namespace, **more: object) -> UpscaleRequest:
    """Return the request that the options make; a command that lacks an option leaves its default."""
    from ..upscaling.request import UpscaleRequest

    named = (
        "factor",
        "spacing",
        "isotropic",
        "region",
        "box",
        "output_type",
        "as_stored",
        "acquired",
        "thickness",
        "adapt",
        "level",
        "labels",
    )
    chosen = {name: getattr(options, name) for name in named if hasattr(options, name)}
    engine = {name: getattr(options, name) for name in ("model", "detail", "device", "quality", "grain")}
    return UpscaleRequest(**{**chosen, **engine, "consistency": not options.no_consistency, **more})


def _factor(text: str) -> int | tuple[int, int, int]:
    values = [int(part) for part in text.lower().split("x")]
    return values[0] if len(values) == 1 else ijk(values)


def _spacing(text: str) -> float | tuple[float, float, float]:
    values = [float(part) for part in text.lower().split("x")]
    return values[0] if len(values) == 1 else ijk(values)


def _matrix(text: str) -> tuple[int, int]:
    first, last = (int(part) for part in text.lower().split("x"))
    return first, last


def _region(text: str) -> tuple[float, ...]:
    values = tuple(float(part) for part in text.split(","))
    if len(values) != 6:
        raise ValueError
    return values


def _box(text: str) -> Box:
    values = [int(part) for part in text.split(",")]
    return ijk(values[:3]), ijk(values[3:])


# What argparse calls a value that a function refuses.
_factor.__name__, _spacing.__name__, _matrix.__name__ = "factor", "spacing", "matrix"
_region.__name__, _box.__name__ = "list of 6 numbers", "list of 6 indices"
