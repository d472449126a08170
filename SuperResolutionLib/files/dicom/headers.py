"""The headers of DICOM files: one look at each, before any voxel is decoded."""

from __future__ import annotations

import os
import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from ...errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

DICOM_SUFFIXES = (".dcm", ".ima")
SIEMENS_B, GE_B, PHILIPS_B, UIH_B = 0x0019100C, 0x00431039, 0x20011003, 0x00651009
SIEMENS_TILES = 0x0019100A
_KEYWORDS = """
    SOPClassUID SOPInstanceUID SeriesInstanceUID SeriesNumber SeriesDescription Modality ImageType Rows Columns
    NumberOfFrames SamplesPerPixel PhotometricInterpretation BitsAllocated BitsStored PixelRepresentation
    ImagePositionPatient ImageOrientationPatient PixelSpacing SliceThickness SpacingBetweenSlices
    RescaleSlope RescaleIntercept ModalityLUTSequence FrameTime FrameTimeVector CineRate FrameIncrementPointer
    EchoTime InversionTime FlipAngle RepetitionTime DiffusionBValue DiffusionGradientOrientation
    TemporalPositionIdentifier FrameReferenceTime TriggerTime ComplexImageComponent KVP ConvolutionKernel
    AcquisitionNumber AcquisitionTime ContentTime StackID PixelPaddingValue PixelPaddingRangeLimit
    Manufacturer AcquisitionMatrix InPlanePhaseEncodingDirection MRAcquisitionFrequencyEncodingSteps
    MRAcquisitionPhaseEncodingStepsInPlane MRAcquisitionPhaseEncodingStepsOutOfPlane
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
"""
_TAGS = [*_KEYWORDS.split(), SIEMENS_B, GE_B, PHILIPS_B, UIH_B, SIEMENS_TILES]
_DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_FIRST_VRS = (b"UL", b"UI", b"CS", b"OB", b"DA", b"TM", b"SH", b"LO", b"AE", b"IS", b"DT", b"SQ")
_UNDEFINED = 0xFFFFFFFF
_RAW_DATA, _SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.4.2"


@dataclass(frozen=True, eq=False)
class Header:
    """What one DICOM file says before its voxels.

    Attributes:
        dataset: the attributes that reading needs; None where the header cannot be read.
        pixels_at: offset in the file, in bytes, of little-endian voxels that are not compressed; None for others.
        compressed: whether the voxels are in fragments of JPEG or the like.
        flaw: what is wrong with the file, such as "is cut short"; "" where nothing is.
    """

    path: Path
    dataset: Dataset | None = field(default=None, repr=False)
    pixels_at: int | None = None
    compressed: bool = False
    flaw: str = ""

    @property
    def series(self) -> str | None:
        """The Series Instance UID; None where the file does not say."""
        return str(self.get("SeriesInstanceUID") or "") or None

    @property
    def frames(self) -> int:
        """How many images the file holds."""
        return int(self.get("NumberOfFrames") or 1)

    def get(self, keyword: str) -> Any:
        """Return the value of an attribute; None where it is missing."""
        return None if self.dataset is None else self.dataset.get(keyword)


def import_pydicom() -> ModuleType:
    """Return the package pydicom.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pydicom
    except ImportError:
        raise InputError("DICOM needs the package pydicom; install it by: pip install pydicom.") from None
    return pydicom


def headers_in(folder: os.PathLike | str) -> list[Header]:
    """Return the headers of the images in a folder (not below it), by file name, those that have a ``flaw`` too.

    What is no DICOM, and DICOM without images (reports, directories), is left out. A file that is no DICOM but is
    named like one that is, and is no README or the like, is taken for a damaged one.

    Raises:
        InputError: pydicom is not there.
    """
    headers, others = [], []
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        if is_dicom(path):
            header = read_header(path)
            headers += [header] if header is not None else []
        else:
            others.append(path)
    kinds = {_kind_of_name(header.path) for header in headers} | {*DICOM_SUFFIXES}
    damaged = [Header(path, flaw=_damage(path)) for path in others if _kind_of_name(path) in kinds]
    return sorted([*headers, *(header for header in damaged if header.flaw)], key=lambda header: header.path)


def is_dicom(path: os.PathLike | str) -> bool:
    """Return whether a file begins like DICOM: its preamble, its file meta information, or a bare data set."""
    try:
        with open(path, "rb") as file:
            start = file.read(132)
    except OSError:
        return False
    if start[128:] == b"DICM":
        return True
    if len(start) < 8:
        return False
    group, element = struct.unpack("<HH", start[:4])
    (length,) = struct.unpack("<I", start[4:8])
    return group in (2, 8) and element <= 0x60 and (start[4:6] in _FIRST_VRS or (length % 2 == 0 and length <= 256))


def read_header(path: os.PathLike | str) -> Header | None:
    """Return the header of a DICOM file, or None where it holds no image.

    Raises:
        InputError: pydicom is not there.
    """
    pydicom = import_pydicom()
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that scanners write against the standard
        try:
            with open(path, "rb") as file:
                dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=_TAGS)
                return _checked(path, dataset, file)
        except Exception:  # what pydicom raises on bytes that are no header is any of a dozen kinds
            return Header(path, flaw="is damaged")


def _checked(path: Path, dataset: Dataset, file: BinaryIO) -> Header | None:
    meta = getattr(dataset, "file_meta", {})
    syntax = meta.get("TransferSyntaxUID")
    kind = dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    if syntax == _DEFLATED:
        return Header(path, dataset) if "Rows" in dataset else None
    start = file.read(12)
    big = syntax == _BIG_ENDIAN
    if start[:2] != (b"\x7f\xe0" if big else b"\xe0\x7f"):
        if kind in (_RAW_DATA, _SPECTROSCOPY):  # these state rows and columns, and lie beside a series' images
            return None
        if "Rows" in dataset or not _is_of_no_images(kind, "SeriesInstanceUID" in dataset):
            return Header(path, dataset, flaw="has no voxels, as if it were cut short")
        return None
    if start[2:4] != (b"\0\x10" if big else b"\x10\0"):
        return Header(path, dataset, flaw="holds real numbers (Float Pixel Data)")
    explicit = start[4:5] == b"O" or start[4:6] == b"UN"
    (length,) = struct.unpack(">I" if big else "<I", start[8:12] if explicit else start[4:8])
    # Of colours there are more, whose count depends on how they are packed.
    voxels = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames") or 1)
    if length == _UNDEFINED:
        return Header(path, dataset, compressed=True)
    offset = file.tell() - (0 if explicit else 4)
    if offset + voxels * int(dataset.BitsAllocated) // 8 > os.fstat(file.fileno()).st_size:
        return Header(path, dataset, flaw="is cut short")
    return Header(path, dataset, None if big else offset)


def _is_of_no_images(kind: UID | None, has_series: bool) -> bool:
    """Return whether a SOP class is surely one without voxels: a standard one by its name, or a maker's own, which the
    start of a cut identifier resembles."""
    if not kind:
        return False
    return "Image Storage" not in kind.name if kind.name != kind else kind.is_private and has_series


def _kind_of_name(path: Path) -> str:
    # Names such as 1.2.840.113619.7 end in a number, not in a suffix.
    suffix = path.suffix.lower()
    return "" if suffix[1:].isdigit() else suffix


def _damage(path: Path) -> str:
    """Return what is wrong with a file that is named like DICOM and is none, or "" for a text such as README."""
    try:
        with open(path, "rb") as file:
            start = file.read(512)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not start:
        return "is empty"
    is_note = not _kind_of_name(path) and b"\0" not in start
    return "" if is_note else "is damaged"
