"""The matrix that an MR scanner acquired, as the headers state it, against the one that it stored.

A line of k-space that counts here was acquired, or filled by parallel imaging or partial Fourier, whose images are
whole. The attributes that look as if they had to be multiplied in are in the number of phase encoding steps already
(Percent Sampling, Percent Phase Field of View) or count what the image never had (Number of Phase Encoding Steps, with
its oversampling), and a maker may fill either pair of the four slots of Acquisition Matrix: so neither is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...geometry.volume import Shares
from .frames import Frame

SAID_BY = "the DICOM header"
OTHER_GRIDS = {"MPR", "CURVED_MPR", "REFORMATTED", "RESAMPLED", "MIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE"}
"""Image types of planes cut through a scan: their grid is not the one that the matrix was stored on."""
COUNT_SLICE_STEPS = ("PHILIPS", "SIEMENS")
"""Makers whose phase encoding steps out of the plane (3-D) are those of the slices that they stored."""


def acquired_shares(frames: Sequence[Frame]) -> Shares:
    """Return the acquired share of the samples along i (a row), j (a column) and k (the frames) of a stack.

    None stands for an axis of which the headers do not tell, or do not agree.
    """
    found = {_shares(frame, len(frames)) for frame in frames}
    return found.pop() if len(found) == 1 else (None, None, None)


def shares_in_plane(value: Callable[[str], Any], rows: int, columns: int) -> tuple[float | None, float | None]:
    """Return the acquired share of the samples along a row and along a column of an image.

    Args:
        value: returns the value of a DICOM attribute by its keyword; several values are a list, or a text with
            backslashes between them.
    """
    types = {str(word).upper() for name in ("FrameType", "ImageType") for word in _values(value(name))}
    if value("Modality") != "MR" or types & OTHER_GRIDS:
        return None, None
    matrix = [_count(number) for number in _values(value("AcquisitionMatrix"))]
    frequency, phase = (max(matrix[:2]), max(matrix[2:])) if len(matrix) == 4 else (0, 0)
    if not frequency or not phase:
        frequency = _count(value("MRAcquisitionFrequencyEncodingSteps"))
        phase = _count(value("MRAcquisitionPhaseEncodingStepsInPlane"))
    direction = str(value("InPlanePhaseEncodingDirection") or "").strip()
    if direction == "ROW":
        along_row, along_column = phase, frequency
    elif direction in ("COL", "COLUMN") or (frequency == phase and rows == columns):
        along_row, along_column = frequency, phase
    else:
        return None, None
    return _share(along_row, columns), _share(along_column, rows)


def _shares(frame: Frame, count: int) -> Shares:
    along_i, along_j = shares_in_plane(frame.first, *frame.shape)
    tells = str(frame.first("Manufacturer") or "").upper().startswith(COUNT_SLICE_STEPS)
    slices = _count(frame.first("MRAcquisitionPhaseEncodingStepsOutOfPlane")) if tells else 0
    return along_i, along_j, _share(slices, count)


def _values(value: Any) -> list[Any]:
    if isinstance(value, str):
        return value.split("\\")
    return list(value) if isinstance(value, Iterable) else [value]


def _count(value: Any) -> int:
    try:
        return max(int(value), 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _share(acquired: int, stored: int) -> float | None:
    return min(1.0, acquired / stored) if acquired and stored else None
