"""Where the scans that are to be fused come from: files, or series of a DICOM study."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files.dicom.headers import Header, headers_in, import_pydicom, is_dicom, read_header
from ..files.dicom.reading import stack_of_headers
from ..files.folders import folders_below

IDENTITY = ("PatientID", "PatientName", "PatientBirthDate")
LONG = {"EchoTime": 45.0, "RepetitionTime": 1500.0, "InversionTime": 1000.0}
"""ms: longer echo times weigh by T2, longer repetition times no longer by T1, longer inversion times null fluid; what
lies on the other side is another contrast."""
FEWEST_SLICES = 5
"""A stack of fewer is a scout."""
MOST_NAMED = 6
"""Series that are named of a group, and groups that are listed."""


@dataclass(frozen=True)
class Source:
    """One scan: an image file, or a series in a DICOM folder."""

    path: Path
    series: str | None = None

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.path) if self.series is None else f"{self.path} ({self.series})"


@dataclass(frozen=True)
class Series:
    """A series of a study, as its headers describe it.

    Attributes:
        folder: in which its files lie.
        contrast: what two series of one contrast share; empty of what is not a scan of one stack of slices: maps,
            reformats and other images that were computed, scouts, several volumes.
    """

    uid: str
    number: str
    description: str
    folder: Path
    contrast: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its number and description; the UID where it has no number."""
        return f"{self.number or self.uid} {self.description}".strip()


def sources_of(inputs: Sequence[os.PathLike | str], series: Sequence[str] = ()) -> list[Source]:
    """Return what is to be fused: the inputs, or series of the one folder of a study.

    Args:
        inputs: volumes and folders of one series each, the reference first; or one folder of a study.
        series: as of ``sources_in_study``.

    Raises:
        InputError: as ``sources_in_study``; series of several inputs.
    """
    if len(inputs) == 1 and Path(inputs[0]).is_dir():
        return sources_in_study(inputs[0], series)
    if series:
        raise InputError("Series are chosen of one study folder; give that folder alone, or leave out --series.")
    return [Source(Path(path)) for path in inputs]


def series_of_study(folder: os.PathLike | str) -> list[Series]:
    """Return the DICOM series in a folder and below it, by number.

    Raises:
        InputError: pydicom is not there.
    """
    found: dict[tuple[Path, str], list[Header]] = {}
    for below in folders_below(Path(folder)):
        for header in headers_in(below.path) if below.names else ():
            if header.series is not None:
                found.setdefault((below.path, header.series), []).append(header)
    series = []
    for (place, uid), headers in found.items():
        number, description = (
            str(headers[0].get(name) or "").strip() for name in ("SeriesNumber", "SeriesDescription")
        )
        series.append(Series(uid, number, description, place, _contrast(headers, place)))
    return sorted(series, key=lambda each: (not each.number.isdigit(), each.number.zfill(8), each.uid))


def groups_of_one_contrast(series: Sequence[Series]) -> list[list[Series]]:
    """Return the groups of two scans and more whose modality, sequence, weighting and contrast agent agree."""
    groups: dict[tuple[str, ...], list[Series]] = {}
    for each in series:
        if each.contrast:
            groups.setdefault(each.contrast, []).append(each)
    return [group for group in groups.values() if len(group) > 1]


def sources_in_study(folder: os.PathLike | str, chosen: Sequence[str]) -> list[Source]:
    """Return series of a study folder as sources.

    Args:
        chosen: numbers or Series Instance UIDs, the reference first; none takes all that the folder holds, where these
            are scans of one contrast.

    Raises:
        InputError: a series is not there, or several have its number; none is chosen and the folder holds more than
            one group of one contrast. It lists the groups.
    """
    series = series_of_study(folder)
    if not series:
        raise InputError(
            f"The folder {folder} holds no DICOM series; give a folder of a study, or the scans one by one."
        )
    if chosen:
        return [Source(each.folder, each.uid) for each in (_named(name, series, folder) for name in chosen)]
    groups = groups_of_one_contrast(series)
    if not groups:
        listed = _listed([each.name for each in series])
        raise InputError(
            f"The folder {folder} holds no two scans of one contrast; name the series to fuse, the reference first, by"
            f" --series: {listed}."
        )
    scans = [each for each in series if each.contrast]
    if len(groups) > 1 or len(groups[0]) < len(scans):
        listed = "; or ".join(_offered(group, series) for group in groups[:MOST_NAMED])
        raise InputError(
            f"The folder {folder} holds these scans of one contrast; name those to fuse, the reference first: {listed}."
        )
    return [Source(each.folder, each.uid) for each in groups[0]]


def check_one_patient(sources: Sequence[Source]) -> None:
    """Raise InputError where the DICOM headers of the sources name different patients."""
    said: dict[str, tuple[str, str]] = {}
    for source in sources:
        header = _any_header(source)
        for name, value in (_words(header, IDENTITY) if header is not None else {}).items():
            other, where = said.setdefault(name, (value, source.name))
            if value and other and value.casefold() != other.casefold():
                raise InputError(f"{source.name} and {where} differ in {name}; fuse scans of one patient alone.")


def _any_header(source: Source) -> Header | None:
    if source.path.is_dir():
        own = [header for header in headers_in(source.path) if source.series in (None, header.series)]
    else:
        own = [header for header in [read_header(source.path)] if header is not None] if is_dicom(source.path) else []
    return next((header for header in own if header.dataset is not None), None)


def _named(name: str, series: Sequence[Series], folder: os.PathLike | str) -> Series:
    found = [each for each in series if name in (each.uid, each.number)]
    if not found:
        listed = _listed([each.name for each in series])
        raise InputError(f"The folder {folder} holds no series {name}; choose among: {listed}.")
    if len(found) > 1:
        listed = _listed([f"{each.uid} in {each.folder}" for each in found])
        raise InputError(f"The folder {folder} holds {len(found)} series {name}; name one by its UID: {listed}.")
    return found[0]


def _offered(group: Sequence[Series], known: Sequence[Series]) -> str:
    """Return the options that name a group's series, and what these are."""
    numbers = [each.number for each in known]
    named = [each.number if each.number and numbers.count(each.number) == 1 else each.uid for each in group]
    return f"--series {' --series '.join(named)} ({_listed([each.description or 'no description' for each in group])})"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join([*names[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _contrast(headers: list[Header], place: Path) -> tuple[str, ...]:
    kinds = [str(kind).upper() for kind in headers[0].get("ImageType") or ()]
    if kinds[:1] == ["DERIVED"]:
        return ()
    try:
        stack = stack_of_headers(headers, "The series", place)
    except InputError:
        return ()
    if len(stack.frames) < FEWEST_SLICES:
        return ()
    first = headers[0]
    words = _words(first, ("Modality", "ScanningSequence", "ScanOptions", "ContrastBolusAgent"))
    times = (_length(first.get(name), limit) for name, limit in LONG.items())
    options = words["ScanOptions"].split("\\")
    return (
        words["Modality"],
        words["ScanningSequence"],
        "".join(kinds[2:3]),
        "fat saturation" * ("FS" in options),
        "agent" * bool(words["ContrastBolusAgent"]),
        *times,
    )


def _words(header: Header, names: Sequence[str]) -> dict[str, str]:
    dataset = import_pydicom().dcmread(header.path, stop_before_pixels=True, force=True, specific_tags=list(names))
    return {name: _text(dataset.get(name)) for name in names}


def _text(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join(str(part) for part in value)
    return str(value or "").strip()


def _length(time: object, limit: float) -> str:
    try:
        milliseconds = float(str(time))
    except ValueError:
        return ""
    return "long" if milliseconds > limit else "short" if milliseconds > 0 else ""
