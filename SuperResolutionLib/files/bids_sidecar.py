"""What the BIDS sidecar beside a NIfTI file, a .json of the same name, says of the matrix that was acquired."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..geometry.volume import AXES, LPS_TO_RAS, Shares, Volume

SUFFIXES = (".nii", ".hdr", ".img")
MOST_BYTES = 1 << 22
"""A sidecar is some kilobytes; a larger file is none."""
MOST = 1e6
"""Larger numbers, and NaN, are none that a sidecar needs."""
ALONG = 0.9
"""Cosine of the angle to an axis within which a direction is that axis's."""


def sidecar_of(path: Path) -> Path | None:
    """Return the sidecar of an image, ``t1.json`` for ``t1.nii.gz``; None where it is no NIfTI or has none."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    sidecar = path.with_name(Path(name).stem + ".json")
    return sidecar if name.lower().endswith(SUFFIXES) and sidecar.is_file() else None


def is_sidecar(path: Path) -> bool:
    """Return whether a .json that is there may be a sidecar: it is no report of ours."""
    try:
        return "schema_version" not in json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError, TypeError):
        return True


def with_sidecar(volume: Volume, path: Path) -> Volume:
    """Return the volume of a NIfTI file with what its sidecar says of it; as it is where that says nothing of it.

    A sidecar that cannot be read is noted. One that was written for another grid is passed over, and so is what in it
    is of no use.
    """
    sidecar = sidecar_of(path)
    if sidecar is None:
        return volume
    try:
        if sidecar.stat().st_size > MOST_BYTES:
            return volume
        stated = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        note = f"{sidecar.name}, beside the image, cannot be read as JSON, so what it says of the scan is not known."
        return replace(volume, notes=(*volume.notes, note))
    shares = _shares(stated, volume) if isinstance(stated, dict) else (None, None, None)
    return replace(volume, acquired_shares=shares, acquired_from=sidecar.name) if any(shares) else volume


def _shares(stated: dict, volume: Volume) -> Shares:
    """Return the acquired share along i, j and k: by the lines along the phase, by the base resolution along the other.

    Partial Fourier, oversampling and percent sampling are left out: they are in the lines, or no matter of theirs.
    """
    phase, readout = _axes(stated, volume)
    lines, stored = (_count(stated.get(key)) for key in ("AcquisitionMatrixPE", "ReconMatrixPE"))
    if stated.get("Modality", "MR") != "MR" or phase is None or not stored or stored != volume.dimensions[phase]:
        return None, None, None
    shares: list[float | None] = [None, None, None]
    if lines:
        shares[phase] = min(1.0, lines / stored)
    samples = _count(stated.get("BaseResolution"))
    if samples and readout is not None:
        shares[readout] = min(1.0, samples / volume.dimensions[readout])
    return shares[0], shares[1], shares[2]


def _axes(stated: dict, volume: Volume) -> tuple[int | None, int | None]:
    """Return the axes of the image along which the phase was encoded and the signal read out; None where not known.

    Converters may turn 3-D scans, whose rows and columns then lie along other axes: their orientation says which.
    """
    plane = _rows_and_columns(stated, volume)
    phase = {"ROW": 0, "COL": 1, "COLUMN": 1}.get(str(stated.get("InPlanePhaseEncodingDirectionDICOM")))
    axis = None if phase is None or plane is None else plane[phase]
    direction = stated.get("PhaseEncodingDirection", stated.get("PhaseEncodingAxis"))
    letter = direction.rstrip("-+") if isinstance(direction, str) else ""
    if len(letter) == 1 and letter in AXES:
        named = AXES.index(letter)
        if axis not in (None, named):
            return None, None  # the image was turned after its sidecar was written
        axis, plane = named, plane or (0, 1)
    if axis is None or plane is None or axis not in plane:
        return axis, None
    return axis, plane[1 - plane.index(axis)]


def _rows_and_columns(stated: dict, volume: Volume) -> tuple[int, int] | None:
    """Return the axes of the image that lie along the rows and the columns of the DICOM images."""
    values = stated.get("ImageOrientationPatientDICOM")
    if not isinstance(values, list) or len(values) != 6 or not all(_is_number(value) for value in values):
        return (0, 1) if stated.get("MRAcquisitionType") == "2D" else None
    directions = np.array(values, dtype=float).reshape(2, 3) @ LPS_TO_RAS[:3, :3]
    cosines = np.abs(directions @ (volume.ijk_to_ras[:3, :3] / np.array(volume.spacing)))
    first, second = (int(axis) for axis in cosines.argmax(axis=1))
    return (first, second) if first != second and cosines.max(axis=1).min() > ALONG else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -MOST < value < MOST


def _count(value: Any) -> int:
    """Return a positive whole number, or 0 for what is none."""
    return max(int(value), 0) if _is_number(value) and value == int(value) else 0
