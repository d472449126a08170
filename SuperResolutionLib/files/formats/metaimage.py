"""What a MetaImage header says and ITK does not heed (https://itk.org/Wiki/ITK/MetaIO/Documentation)."""

from __future__ import annotations

import math
from pathlib import Path

from ...errors import InputError
from .units import millimetres

MOST_LINES = 1_000


def metaimage_fields(path: Path) -> dict[str, str] | None:
    """Return the fields of a header, in lower case, with what they say; None where it is no MetaImage file."""
    fields: dict[str, str] = {}
    with open(path, "rb") as file:
        for _ in range(MOST_LINES):
            name, equals, value = file.readline(1 << 16).decode("utf-8", "replace").partition("=")
            if not equals:
                break
            fields[name.strip().lower()] = value.strip()
            if name.strip().lower() == "elementdatafile":
                return fields if "ndims" in fields else None
    return None


def metaimage_millimetres(name: str, fields: dict[str, str]) -> tuple[float, list[str]]:
    """Return how many mm the header's unit of length has, and what the user should know of it."""
    unit = fields.get("distanceunits", "")
    return millimetres(name, [unit] if unit and unit != "?" else [])


def metaimage_intensity(name: str, fields: dict[str, str]) -> tuple[float, float]:
    """Return slope and offset from the stored to the true values.

    Raises:
        InputError: they are no numbers.
    """
    keys = ("elementtointensityfunctionslope", "elementtointensityfunctionoffset")
    try:
        slope, offset = (float(fields.get(key, default)) for key, default in zip(keys, ("1", "0")))
    except ValueError:
        slope = math.nan
    if not math.isfinite(slope) or not math.isfinite(offset):
        raise InputError(f"The intensity slope of {name} is no number; mend its ElementToIntensityFunction fields.")
    return slope, offset


def check_metaimage_data(path: Path, fields: dict[str, str]) -> None:
    """Raise InputError where the voxels lie in another file that is not there."""
    other = fields["elementdatafile"]
    alone = other.upper() not in ("LOCAL", "LIST") and "%" not in other
    if alone and not (path.parent / other.split()[0]).exists() and not (path.parent / other).exists():
        raise InputError(
            f"The voxels of {path.name} should be in {other}, which is not there; put it beside the header."
        )
