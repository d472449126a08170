"""The headers of a DICOM series, and where each of its images lies in the volume that ``read_volume`` makes of it."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...geometry.volume import Volume
from .headers import import_pydicom
from .reading import dicom_stack, volume_of

if TYPE_CHECKING:
    from pydicom import Dataset

SUPPORTED = {"1.2.840.10008.5.1.4.1.1.4": "MR", "1.2.840.10008.5.1.4.1.1.2": "CT"}
"""Modality by SOP class: MR Image Storage and CT Image Storage, one image a file."""


@dataclass(frozen=True)
class DicomSeries:
    """A single-frame series: its volume, and one header (a pydicom dataset without pixels) per slice k of it."""

    volume: Volume
    headers: list[Dataset]

    @property
    def modality(self) -> str:
        return SUPPORTED[self.headers[0].SOPClassUID]

    def value(self, keyword: str, default: Any = None) -> Any:
        """Return an attribute's value where all headers that have one agree and it is not empty, else ``default``."""
        values = [header[keyword].value for header in self.headers if keyword in header]
        if not values or values[0] in (None, "", b"") or any(value != values[0] for value in values):
            return default
        return values[0]


def read_dicom_series(folder: os.PathLike | str, series: str | None = None, echo: int | None = None) -> DicomSeries:
    """Read the series in a folder.

    Args:
        series, echo: which of the folder's images, as of ``read_dicom``.

    Raises:
        InputError: pydicom is not there; not one even series of MR or CT images; images of several studies, patients
            or frames of reference.
    """
    pydicom = import_pydicom()
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; give the folder of the source series.")
    stack = dicom_stack(folder, series, echo)
    for frame in stack.frames:
        kind = frame.header.get("SOPClassUID")
        if kind not in SUPPORTED:
            named = getattr(kind, "name", "of an unknown kind")
            raise InputError(f"{folder.name} is a series of {named}; only MR and CT Image Storage can be derived from.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that scanners write against the standard
        headers = [pydicom.dcmread(frame.header.path, stop_before_pixels=True, force=True) for frame in stack.frames]
    for keyword in ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "FrameOfReferenceUID", "SOPClassUID"):
        if len({str(header.get(keyword)) for header in headers}) != 1:
            raise InputError(f"The images in {folder.name} differ in {keyword}; give a folder with one series.")
    return DicomSeries(volume_of(stack), headers)
