"""The DICOM series in a folder, and the volume that one of them, or one file, makes."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ...errors import InputError
from ...geometry.volume import LPS_TO_RAS, Volume
from .acquired_matrix import SAID_BY, acquired_shares
from .decoding import decoded, padding_ranges
from .frames import Frame, frames_of
from .headers import Header, headers_in, read_header
from .kinds import why_no_slice
from .stack import Stack, choose_echo, stack_of

STACKING_AXIS = 2
"""k: frames lie along it in the volume that they make."""
_MOST_NAMED = 5


def dicom_series_in(folder: os.PathLike | str) -> tuple[str, ...]:
    """Return the Series Instance UIDs of the DICOM images that lie in a folder (not below it), by file name.

    Raises:
        InputError: pydicom is not there.
    """
    return tuple(_by_series(headers_in(folder)))


def dicom_files(folder: os.PathLike | str, series: str) -> tuple[str, ...]:
    """Return the files of one of ``dicom_series_in`` the folder, by name."""
    return tuple(str(header.path) for header in _by_series(headers_in(folder)).get(series, ()))


def dicom_labels(folder: os.PathLike | str) -> dict[str | None, str]:
    """Return the number and the description, fit for a file's name, of each of ``dicom_series_in`` the folder.

    The one key is None where all that the folder holds of DICOM images is damaged, so that no series can be told.
    """
    headers = headers_in(folder)
    labels: dict[str | None, str] = {series: _label(own) for series, own in _by_series(headers).items()}
    return labels or ({None: "damaged"} if headers else {})


def read_dicom(path: os.PathLike | str, series: str | None = None, echo: int | None = None) -> Volume:
    """Read the DICOM series in a folder, or the images of one file.

    Args:
        series: which of ``dicom_series_in`` the folder; None where it holds one.
        echo: which echo, counted from 1 by echo time; None where there is one.

    Raises:
        InputError: pydicom is not there; no DICOM images there, several series and none chosen, a damaged file among
            them; or the images are no stack of even, parallel slices, one at each place.
    """
    return volume_of(dicom_stack(path, series, echo))


def dicom_stack(path: os.PathLike | str, series: str | None = None, echo: int | None = None) -> Stack:
    """Return the stack whose volume ``read_dicom`` returns, by its headers alone. Arguments and errors are the same."""
    path = Path(path)
    if path.is_dir():
        headers, what = _chosen(headers_in(path), series, path)
    else:
        headers, what = _of_file(path, series)
    return stack_of_headers(headers, what, path, echo)


def stack_of_headers(headers: list[Header], what: str, path: Path, echo: int | None = None) -> Stack:
    """Return the stack that the images of a series make.

    Args:
        what: what to call them in an error. path: of the file, or of the folder in which they lie.

    Raises:
        InputError: as of ``read_dicom``.
    """
    for header in headers:
        if header.flaw:
            raise InputError(f"{header.path.name} {header.flaw}; get a fresh copy of it.")
    _check_that_all_are_slices(headers, what, path)
    return stack_of(choose_echo(_frames(headers), echo, what), what)


def volume_of(stack: Stack) -> Volume:
    """Return the volume of a stack, its voxels decoded.

    Raises:
        InputError: a file is damaged, or compressed in an unknown way.
    """
    first = stack.frames[0]
    shares = acquired_shares(stack.frames)
    return Volume(
        decoded(stack.frames),
        LPS_TO_RAS @ stack.ijk_to_lps,
        str(first.header.get("Modality") or "") or None,
        _slice_thickness(first),
        STACKING_AXIS,
        padding=padding_ranges(stack.frames),
        acquired_shares=shares,
        acquired_from=SAID_BY if any(shares) else None,
    )


def _by_series(headers: Iterable[Header]) -> dict[str, list[Header]]:
    found: dict[str, list[Header]] = {}
    for header in headers:
        if header.series is not None:
            found.setdefault(header.series, []).append(header)
    return found


def _chosen(headers: list[Header], series: str | None, folder: Path) -> tuple[list[Header], str]:
    """Return the headers of the series, with files of which nobody knows whose they are, and what to call them."""
    found = _by_series(headers)
    unknown = [header for header in headers if header.series is None]
    if not headers:
        raise InputError(f"The folder {folder} holds no DICOM series; give an image file or a DICOM folder.")
    listed = ", ".join(f"{uid} ({_described(found[uid])})" for uid in list(found)[:_MOST_NAMED])
    listed += ", ..." if len(found) > _MOST_NAMED else ""
    if series is not None and series not in found:
        raise InputError(f"The folder {folder} holds no series {series}; choose one of: {listed}.")
    if series is None and len(found) > 1:
        raise InputError(f"The folder {folder} holds {len(found)} DICOM series; choose one by --series UID: {listed}.")
    chosen = found[series or next(iter(found))] if found else []
    return [*unknown, *chosen], f"The series in {folder.resolve().name}"


def _of_file(path: Path, series: str | None) -> tuple[list[Header], str]:
    header = read_header(path)
    if header is None:
        raise InputError(f"{path.name} is DICOM without an image; give the images of a series.")
    if series is not None and header.series not in (None, series):
        raise InputError(f"{path.name} is of the series {header.series}, not of {series}; leave out --series.")
    return [header], path.name


def _described(headers: list[Header]) -> str:
    words = [str(headers[0].get(name) or "") for name in ("SeriesNumber", "SeriesDescription")]
    files = f"{len(headers)} file{'s' if len(headers) > 1 else ''}"
    return ", ".join([*filter(None, [" ".join(filter(None, words))]), files])


def _label(headers: list[Header]) -> str:
    words = (str(headers[0].get(name) or "").strip() for name in ("SeriesNumber", "SeriesDescription"))
    return re.sub(r"[^\w.+-]+", "_", " ".join(filter(None, words))).strip("_.") or "series"


def _check_that_all_are_slices(headers: list[Header], what: str, path: Path) -> None:
    faults = {header.path.name: fault for header in headers if (fault := why_no_slice(header))}
    if not faults:
        return
    name, fault = next(iter(faults.items()))
    if len(faults) < len(headers):
        raise InputError(f"{name}, among images of a scan, {fault}; take it out of the folder.")
    raise InputError(f"{what if path.is_dir() else name} {fault}; give a series of slices.")


def _frames(headers: list[Header]) -> list[Frame]:
    frames: list[Frame] = []
    for header in headers:
        try:
            own = frames_of(header)
        except Exception:  # values that are none of their kind raise whatever pydicom or Python meets first
            raise InputError(f"The header of {header.path.name} is damaged; get a fresh copy of the file.") from None
        if len(own) != header.frames:
            raise InputError(
                f"{header.path.name} states {header.frames} frames and describes {len(own)}; get a fresh copy of it."
            )
        frames += own
    return frames


def _slice_thickness(frame: Frame) -> float | None:
    try:
        thickness = float(frame.first("SliceThickness") or 0)
    except (TypeError, ValueError):
        return None
    return thickness if 0 < thickness < math.inf else None
