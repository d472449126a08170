"""The frames of DICOM files, each with its place, its scale and what tells it from others at the same place."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .headers import GE_B, PHILIPS_B, SIEMENS_B, UIH_B, Header

if TYPE_CHECKING:
    from pydicom import Dataset

_SEQUENCES = """
    PlanePositionSequence PlaneOrientationSequence PixelMeasuresSequence PixelValueTransformationSequence
    FrameContentSequence TemporalPositionSequence CardiacSynchronizationSequence MREchoSequence MRDiffusionSequence
    MRModifierSequence MRTimingAndRelatedParametersSequence MRImageFrameTypeSequence CTImageFrameTypeSequence
    MRFOVGeometrySequence PETFrameTypeSequence CTXRayDetailsSequence CTReconstructionSequence
    UnassignedPerFrameConvertedAttributesSequence UnassignedSharedConvertedAttributesSequence
"""
_GROUPS = tuple(_SEQUENCES.split())


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a file.

    Attributes:
        number: of the frame in its file, from 0.
        items: the data sets that describe it, those that say it most closely first.
        position: ``(3,)`` LPS mm of the first voxel's centre.
        orientation: ``(6,)`` direction cosines along a row and along a column.
        spacing: ``(2,)`` mm between rows and between columns. All three are NaN where the file does not say.
        slope, intercept: value = slope * stored + intercept.
    """

    header: Header
    number: int
    items: list[Dataset] = field(repr=False)
    position: np.ndarray
    orientation: np.ndarray
    spacing: np.ndarray
    slope: float
    intercept: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.header.get("Rows")), int(self.header.get("Columns"))

    @cached_property
    def echo_time(self) -> float | None:
        """In ms."""
        value = _rounded(self.first("EffectiveEchoTime", "EchoTime"))
        return value if isinstance(value, float) else None

    @cached_property
    def marks(self) -> dict[str, Any]:
        """What may tell the frame from another one at the same place, by name."""
        return {
            "echo": self.echo_time,
            "b-value": self._b_value(),
            "diffusion direction": _rounded(self.first("DiffusionGradientOrientation")),
            "time point": self.first("TemporalPositionIdentifier", "TemporalPositionIndex", "FrameReferenceTime"),
            "heart phase": self.first("TriggerTime", "NominalCardiacTriggerDelayTime"),
            "image type": _words(self.first("FrameType", "ImageType"), self.first("ComplexImageComponent")),
            "inversion time": _rounded(self.first("InversionTime", "InversionTimes")),
            "flip angle": _rounded(self.first("FlipAngle")),
            "repetition time": _rounded(self.first("RepetitionTime")),
            "tube voltage": _rounded(self.first("KVP")),
            "kernel": _words(self.first("ConvolutionKernel")),
            "stack": self.first("StackID"),
            "acquisition": self.first("AcquisitionNumber"),
            "acquisition time": self.first("FrameAcquisitionDateTime", "AcquisitionTime", "ContentTime"),
        }

    def first(self, *names: str) -> Any:
        """Return the first of these attributes that has a value, or None."""
        return _first(self.items, *names)

    def _b_value(self) -> Any:
        """Return the b-value in s/mm2, also from where makers wrote it before the standard had an attribute for it."""
        standard = self.first("DiffusionBValue")
        if standard is not None:
            return _rounded(standard)
        dataset = self.items[-1]
        return next(
            (_private(dataset[tag].value) for tag in (SIEMENS_B, GE_B, PHILIPS_B, UIH_B) if tag in dataset), None
        )


def frames_of(header: Header) -> list[Frame]:
    """Return the frames of a file, as they are stored."""
    assert header.dataset is not None
    own = header.get("PerFrameFunctionalGroupsSequence")
    if not own:
        return [_frame(header, 0, [header.dataset])]
    shared = _items((header.get("SharedFunctionalGroupsSequence") or [{}])[0])
    return [_frame(header, number, [*_items(group), *shared, header.dataset]) for number, group in enumerate(own)]


def _items(group: Dataset | dict) -> list[Dataset]:
    items = [group[name].value[0] for name in _GROUPS if name in group and group[name].value]
    # The direction of a gradient lies one level further down.
    nested = [item.DiffusionGradientDirectionSequence for item in items if "DiffusionGradientDirectionSequence" in item]
    return [*items, *(sequence[0] for sequence in nested if sequence)]


def _frame(header: Header, number: int, items: list[Dataset]) -> Frame:
    spacing = _numbers(_first(items, "PixelSpacing"), 2)
    return Frame(
        header,
        number,
        items,
        _numbers(_first(items, "ImagePositionPatient"), 3),
        _numbers(_first(items, "ImageOrientationPatient"), 6),
        np.where((spacing > 0).all(), spacing, np.nan),
        float(_first(items, "RescaleSlope") or 1),
        float(_first(items, "RescaleIntercept") or 0),
    )


def _first(items: list[Dataset], *names: str) -> Any:
    for name in names:
        for item in items:
            value = item.get(name)
            if value is not None and value != "":
                return value
    return None


def _numbers(value: Any, count: int) -> np.ndarray:
    if value is None or isinstance(value, str) or len(value) != count:
        return np.full(count, np.nan)
    numbers = np.array([float(part) for part in value])
    return np.where(np.isfinite(numbers).all(), numbers, np.nan)


def _rounded(value: Any) -> float | tuple[float, ...] | None:
    try:
        if value is None or isinstance(value, (int, float, str)):
            return None if value is None else round(float(value), 3)
        return tuple(round(float(part), 3) for part in value)
    except (TypeError, ValueError):
        return None


def _words(*values: Any) -> str | None:
    parts = [part for value in values if value is not None for part in ([value] if isinstance(value, str) else value)]
    return "/".join(map(str, parts)) or None


def _private(value: Any) -> float | None:
    """Return a private number, which is bytes where the file does not say of what kind it is."""
    if isinstance(value, bytes):
        digits = value.strip(b" \0")
        if not digits or digits.strip(b"0123456789.\\"):
            if len(value) not in (4, 8):
                return None
            (value,) = struct.unpack("<f" if len(value) == 4 else "<d", value)
        else:
            value = digits.decode()
    if isinstance(value, str):
        value = value.split("\\")[0]
    elif not isinstance(value, (int, float)):
        value = next(iter(value), None)
    number = _rounded(value)
    # GE adds a thousand million where it corrected the direction.
    return number % 1e6 if isinstance(number, float) else None
