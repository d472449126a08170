"""Where the scans that are to be fused come from: files, or series of a DICOM study."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files.dicom.headers import Header, headers_in, import_pydicom

IDENTITY = ("PatientID", "PatientName", "PatientBirthDate")
CONTRAST = ("Modality", "ScanningSequence", "ContrastBolusAgent", "EchoTime", "InversionTime")
LONG_TIME = 45.0
"""ms: echo and inversion times above and below it make another contrast."""


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
    """A series of a study, as its headers describe it."""

    uid: str
    number: str
    description: str
    files: int
    contrast: tuple[str, ...]


def series_of_study(folder: os.PathLike | str) -> list[Series]:
    """Return the series in a folder, by number.

    Raises:
        InputError: pydicom is not there.
    """
    found: dict[str, list[Header]] = {}
    for header in headers_in(folder):
        if header.series is not None:
            found.setdefault(header.series, []).append(header)
    series = []
    for uid, headers in found.items():
        first = headers[0]
        words = {name: str(first.get(name) or "").strip() for name in ("SeriesNumber", "SeriesDescription")}
        series.append(Series(uid, words["SeriesNumber"], words["SeriesDescription"], len(headers), _contrast(first)))
    return sorted(series, key=lambda each: (not each.number.isdigit(), each.number.zfill(8)))


def groups_of_one_contrast(series: Sequence[Series]) -> list[list[Series]]:
    """Return the groups of two series and more whose modality, sequence, weighting and contrast agent agree."""
    groups: dict[tuple[str, ...], list[Series]] = {}
    for each in series:
        groups.setdefault(each.contrast, []).append(each)
    return [group for group in groups.values() if len(group) > 1]


def sources_in_study(folder: os.PathLike | str, chosen: Sequence[str]) -> list[Source]:
    """Return the chosen series of a study folder as sources.

    Args:
        chosen: Series Instance UIDs or series numbers, the reference first; without any, the one group of one contrast.

    Raises:
        InputError: nothing chosen and no single group there, or a series that is not there. It lists the groups.
    """
    series = series_of_study(folder)
    by_name = {name: each for each in series for name in (each.number, each.uid) if name}
    groups = groups_of_one_contrast(series)
    if chosen:
        missing = [name for name in chosen if name not in by_name]
        if missing:
            known = "; ".join(f"{each.number} {each.description}" for each in series)
            raise InputError(f"The folder {folder} holds no series {missing[0]}; choose among: {known}.")
        return [Source(Path(folder), by_name[name].uid) for name in chosen]
    if len(groups) == 1:
        return [Source(Path(folder), each.uid) for each in groups[0]]
    if not groups:
        raise InputError(f"The folder {folder} holds no two series of one contrast; name those to fuse by --series.")
    listed = "; or ".join(", ".join(f"{each.number} {each.description}" for each in group) for group in groups)
    raise InputError(f"The folder {folder} holds several groups of one contrast; name the series of one: {listed}.")


def check_one_patient(sources: Sequence[Source]) -> None:
    """Raise InputError where the DICOM headers of the sources name different patients."""
    said: dict[str, tuple[str, str]] = {}
    for source in sources:
        if not source.path.is_dir():
            continue
        own = [header for header in headers_in(source.path) if source.series in (None, header.series)]
        for name, value in (_words(own[0], IDENTITY) if own else {}).items():
            other, where = said.setdefault(name, (value, source.name))
            if value and other and value != other:
                raise InputError(f"{source.name} and {where} differ in {name}; fuse scans of one patient alone.")


def _contrast(header: Header) -> tuple[str, ...]:
    """Return what two series of one contrast share."""
    words = _words(header, CONTRAST)
    times = (_length(words[name]) for name in ("EchoTime", "InversionTime"))
    return (words["Modality"], words["ScanningSequence"], "agent" * bool(words["ContrastBolusAgent"]), *times)


def _words(header: Header, names: Sequence[str]) -> dict[str, str]:
    dataset = import_pydicom().dcmread(header.path, stop_before_pixels=True, force=True, specific_tags=list(names))
    return {name: str(dataset.get(name) or "").strip() for name in names}


def _length(word: str) -> str:
    try:
        time = float(word)
    except ValueError:
        return ""
    return "long" if time > LONG_TIME else "short" if time > 0 else ""
