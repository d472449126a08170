"""What an NRRD header says and ITK does not heed (https://teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import InputError
from .units import millimetres

MAGIC = b"NRRD000"
MOST_LINES = 10_000


def nrrd_fields(path: Path) -> dict[str, str] | None:
    """Return the fields and the keys of a header, in lower case, with what they say; None where it is no NRRD file."""
    fields = {}
    with open(path, "rb") as file:
        if not file.readline(100).startswith(MAGIC):
            return None
        for _ in range(MOST_LINES):
            line = file.readline().decode("utf-8", "replace").strip()
            if not line:
                break
            name, colon, value = line.partition(":")
            if colon and not line.startswith("#"):
                fields[name.strip().lower()] = (
                    value.removeprefix("=").strip() if value.startswith("=") else value.strip()
                )
    return fields


def nrrd_millimetres(name: str, fields: dict[str, str]) -> tuple[float, list[str]]:
    """Return how many mm the header's unit of length has, and what the user should know of it.

    Raises:
        InputError: its axes have several units.
    """
    units = re.findall(r'"([^"]*)"', fields.get("space units", "") or fields.get("units", ""))
    return millimetres(name, [unit for unit in units if unit.strip()])


def nrrd_notes(fields: dict[str, str]) -> list[str]:
    """Return what the header leaves open, in sentences."""
    if "space" in fields and "space directions" in fields:
        return []
    return ["The file does not say its orientation; left and right may be exchanged in the result."]


def is_segmentation(fields: dict[str, str]) -> bool:
    """Return whether it is a segmentation of 3D Slicer's, by its keys and whatever its name."""
    return "segment0_id" in fields


def check_nrrd(path: Path, fields: dict[str, str]) -> None:
    """Raise InputError where there are no voxels, or where they lie in another file that is not there."""
    if "0" in fields.get("sizes", "").split():
        raise InputError(f"{path.name} is empty; choose a volume with voxels.")
    other = fields.get("data file", fields.get("datafile", ""))
    alone = other and "%" not in other and not other.upper().startswith("LIST")
    if alone and other != "LOCAL" and not (path.parent / other).exists():
        raise InputError(
            f"The voxels of {path.name} should be in {other}, which is not there; put it beside the header."
        )
