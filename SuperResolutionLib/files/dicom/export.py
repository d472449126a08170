"""A result as a derived DICOM series of the study that it was made from."""

from __future__ import annotations

import copy
import datetime
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ...errors import Cancelled, InputError
from ...geometry.volume import LPS_TO_RAS, Volume
from ...version import VERSION
from ..whole_outputs import check_output_folder, remove_what_died, temporary_name
from .attributes import EQUIPMENT, KEPT, KEPT_GROUPS, KEPT_OF_MODALITY, MAY_BE_EMPTY, MAY_BE_EMPTY_OF_MODALITY
from .headers import import_pydicom
from .pixels import StoredPixels, store_pixels
from .series import DicomSeries, read_dicom_series

if TYPE_CHECKING:
    from pydicom import Dataset

DISCLAIMER = "Predicted by a neural network for research; not for diagnosis."
ERROR_SENTENCE = "Expected error (1 SD) of the super-resolved image, in its units; no anatomy."


def export_dicom(
    source_folder: os.PathLike | str,
    result: Volume,
    output_folder: os.PathLike | str,
    report: dict | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    series: str | None = None,
    echo: int | None = None,
    is_error: bool = False,
) -> str:
    """Write ``result`` as a derived series, one file a slice, and return its Series Instance UID.

    The series is of the source's patient, study and frame of reference, has UIDs of its own, names the source images
    and says how it was made. Slices are ordered along the normal of the slice plane. Voxels that are 16-bit integers
    are stored exactly; others on 65536 even steps, whose size the derivation description states. The folder appears
    under its name when it is whole.

    Args:
        source_folder: the DICOM series, MR or CT Image Storage, that ``result`` was made from.
        output_folder: a new or empty folder.
        report: of ``upscale``, for the derivation description.
        cancelled: polled after each slice.
        series, echo: which images of ``source_folder``, as of ``read_dicom``.
        is_error: whether ``result`` is the expected error of what was made of the series, which the new one says then.

    Raises:
        InputError: pydicom is not there; the series is none that can be derived from; the result does not lie in it,
            is sheared or is not what the report describes; the output folder is not empty or cannot be written.
        Cancelled: ``cancelled()`` returned True; nothing is left.

    Example::

        result = upscale(read_volume("t1_series"), UpscaleRequest(factor=4))
        export_dicom("t1_series", result.volume, "t1_series_x4", result.report)
    """
    pydicom = import_pydicom()
    output_folder = Path(output_folder).absolute()
    check_output_folder(output_folder)
    if output_folder.exists() and (not output_folder.is_dir() or any(output_folder.iterdir())):
        raise InputError(f"{output_folder} is there already; give a new or an empty folder.")
    source = read_dicom_series(source_folder, series, echo)
    _check_geometry(result, source.volume)
    if report and tuple(report["output"]["dimensions_ijk"]) != result.dimensions:
        raise InputError("The report describes another volume than the result; give the report that was made with it.")
    pixels = store_pixels(result.voxels)
    image = _DerivedImages(pydicom, source, result, pixels, report or {}, is_error)
    partial = temporary_name(output_folder)
    try:
        remove_what_died(output_folder)
        partial.mkdir()
        for number in range(1, result.dimensions[2] + 1):
            if cancelled():
                raise Cancelled
            image.write(number, partial / f"{number:04d}.dcm")
        if output_folder.exists():
            output_folder.rmdir()
        os.replace(partial, output_folder)
    except OSError as error:
        raise InputError(f"Cannot write {output_folder} ({error.strerror}); free space or choose another.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return image.dataset.SeriesInstanceUID


def _check_geometry(result: Volume, source: Volume) -> None:
    if result.is_sheared:
        raise InputError("The result's axes are not at right angles, which DICOM images cannot hold.")
    ends = np.array([[-0.5] * 3, np.array(result.dimensions) - 0.5])
    corners = np.array([[*(ends[n >> axis & 1][axis] for axis in range(3)), 1.0] for n in range(8)])
    indices = (corners @ (np.linalg.inv(source.ijk_to_ras) @ result.ijk_to_ras).T)[:, :3]
    outside = np.maximum(-0.5 - indices, indices - (np.array(source.dimensions) - 0.5)) * np.array(source.spacing)
    # A target spacing may add up to one fine voxel at an end.
    allowed = 0.5 * np.array(source.spacing)
    if (outside > allowed).any():
        raise InputError(
            f"The result sticks out of the source series by {outside.max():.1f} mm; give the series it was made from."
        )


class _DerivedImages:
    """One dataset with all that the images share; ``write`` sets what each has of its own."""

    def __init__(
        self,
        pydicom: ModuleType,
        series: DicomSeries,
        result: Volume,
        pixels: StoredPixels,
        report: dict,
        is_error: bool,
    ) -> None:
        self._pydicom = pydicom
        self._is_error = is_error
        self._series = series
        self._result = result
        self._to_source = np.linalg.inv(series.volume.ijk_to_ras) @ result.ijk_to_ras
        matrix = LPS_TO_RAS @ result.ijk_to_ras
        spacing = np.array(result.spacing)
        i, j, k = (matrix[:3, :3] / spacing).T
        self._normal = np.cross(i, j)
        self._order = range(result.dimensions[2]) if k @ self._normal > 0 else range(result.dimensions[2])[::-1]
        self._positions = [matrix[:3, 3] + n * spacing[2] * k for n in range(result.dimensions[2])]
        self._pixels = pixels
        meta = pydicom.dataset.FileMetaDataset()
        meta.FileMetaInformationGroupLength = 0
        meta.FileMetaInformationVersion = b"\0\1"
        meta.MediaStorageSOPClassUID = series.headers[0].SOPClassUID
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        meta.ImplementationClassUID = pydicom.uid.PYDICOM_IMPLEMENTATION_UID
        self.dataset = pydicom.dataset.FileDataset(
            None, {}, preamble=b"\0" * 128, file_meta=meta, is_implicit_VR=False, is_little_endian=True
        )
        self._keep()
        self._identify(report)
        self._place(np.concatenate([i, j]), spacing)
        self._describe_pixels(pixels)
        self._refer(report, pixels)

    def write(self, number: int, path: Path) -> None:
        """Write slice ``number``, counted from 1 along the normal."""
        k, data = self._order[number - 1], self.dataset
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = self._pydicom.uid.generate_uid()
        data.InstanceNumber = number
        data.ImagePositionPatient = _decimals(self._positions[k])
        (data.SliceLocation,) = _decimals([self._positions[k] @ self._normal])
        data.SourceImageSequence = [self._source_image(header) for header in self._sources_of(k)]
        data.PixelData = self._pixels.stored(k).tobytes()
        data.save_as(path)

    def _keep(self) -> None:
        data, modality = self.dataset, self._series.modality
        first = self._series.headers[0]
        for keyword in (*KEPT, *KEPT_OF_MODALITY[modality]):
            if self._series.value(keyword) is not None:
                data.add(copy.deepcopy(first[keyword]))
        for group in KEPT_GROUPS:
            for element in first.group_dataset(group):
                data.add(copy.deepcopy(element))
        for keyword in (*MAY_BE_EMPTY, *MAY_BE_EMPTY_OF_MODALITY[modality]):
            if keyword not in data:
                setattr(data, keyword, None)
        if "ImageLaterality" not in data and "Laterality" not in data:
            data.Laterality = None
        if modality == "MR":
            # Type 1; "research mode" and "none" are the standard's words for what is not known.
            data.ScanningSequence = data.get("ScanningSequence") or "RM"
            data.SequenceVariant = data.get("SequenceVariant") or "NONE"
        if "FrameOfReferenceUID" not in data:
            data.FrameOfReferenceUID = self._pydicom.uid.generate_uid()
        data.remove_private_tags()

    def _identify(self, report: dict) -> None:
        data, now = self.dataset, datetime.datetime.now()
        kinds = self._series.headers[0].get("ImageType") or []
        kind = kinds[2] if len(kinds) > 2 and not isinstance(kinds, str) else None
        data.ImageType = ["DERIVED", "SECONDARY", kind or {"MR": "OTHER", "CT": "AXIAL"}[self._series.modality]]
        data.SOPClassUID = self._series.headers[0].SOPClassUID
        data.SeriesInstanceUID = self._pydicom.uid.generate_uid()
        number = str(self._series.value("SeriesNumber", ""))
        data.SeriesNumber = (2000 if self._is_error else 1000) + (int(number) if number.isdigit() else 0)
        for word in ("InstanceCreation", "Series", "Content"):
            setattr(data, f"{word}Date", now.strftime("%Y%m%d"))
            setattr(data, f"{word}Time", now.strftime("%H%M%S"))
        data.Manufacturer = "SuperResolution for 3D Slicer"
        data.ManufacturerModelName = _ascii(_joined(report, "model") if report else "model not stated")[:64]
        data.SoftwareVersions = VERSION
        scanner = self._item(PurposeOfReferenceCodeSequence=[self._code("109101", "Acquisition Equipment")])
        for keyword in EQUIPMENT:
            if self._series.value(keyword) is not None:
                scanner.add(copy.deepcopy(self._series.headers[0][keyword]))
        scanner.Manufacturer = scanner.get("Manufacturer") or "unknown"
        data.ContributingEquipmentSequence = [scanner]

    def _place(self, orientation: np.ndarray, spacing: np.ndarray) -> None:
        data = self.dataset
        data.ImageOrientationPatient = _decimals(orientation)
        data.PixelSpacing = _decimals([spacing[1], spacing[0]])
        # Slices that stay where they were are as thick as they were, gap or overlap aside; new ones fill their spacing.
        slices_stay = abs(abs(self._to_source[2, 2]) - 1) < 1e-3
        thickness = self._series.volume.slice_thickness if slices_stay else None
        data.SliceThickness, data.SpacingBetweenSlices = _decimals([thickness or spacing[2], spacing[2]])

    def _describe_pixels(self, pixels: StoredPixels) -> None:
        data = self.dataset
        data.SamplesPerPixel = 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.Columns, data.Rows = self._result.dimensions[:2]
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        data.PixelRepresentation = int(pixels.dtype == np.int16)
        if self._series.modality == "CT" or not pixels.exact:
            data.RescaleSlope, data.RescaleIntercept = pixels.slope, pixels.intercept
            if "RescaleType" not in data:
                data.RescaleType = "HU" if self._series.modality == "CT" else "US"
        if self._is_error or "WindowCenter" not in data or "WindowWidth" not in data:
            low, high = np.percentile(self._result.voxels[:: max(1, self._result.dimensions[2] // 16)], [0.5, 99.5])
            (data.WindowCenter, data.WindowWidth) = _decimals([(low + high) / 2, max(high - low, 1.0)])

    def _refer(self, report: dict, pixels: StoredPixels) -> None:
        data, series = self.dataset, self._series
        factors = [1 / np.linalg.norm(column) for column in self._to_source[:3, :3].T]
        factor = "x".join(f"{value:.3g}" for value in factors)
        name = _ascii(series.value("SeriesDescription", "")).strip()
        ending = f"SR {factor} {'expected error, ' * self._is_error}not for diagnosis"
        data.SeriesDescription = f"{name[: 63 - len(ending)]} {ending}".strip()
        data.ImageComments = f"{ERROR_SENTENCE} {DISCLAIMER}" if self._is_error else DISCLAIMER
        details = [step["detail"] for step in report.get("steps", []) if "detail" in step]
        words = [
            f"{_ascii(report.get('program', 'SuperResolution'))}, model {_ascii(_joined(report, 'model'))}",
            f"SHA-256 {_joined(report, 'model_sha256')}",
            f"factor {factor} (columns x rows x slices)",
            f"detail {details[0]:g}" if details else "detail not stated",
        ]
        precision = "" if pixels.exact else f" Real values are stored in steps of {pixels.step:.3g}."
        data.DerivationDescription = f"{', '.join(words)}. {data.ImageComments}{precision}"[:1024]
        data.DerivationCodeSequence = [self._code("113085", "Spatial resampling")]
        instances = [self._reference(header) for header in series.headers]
        data.ReferencedSeriesSequence = [
            self._item(
                SeriesInstanceUID=series.headers[0].SeriesInstanceUID,
                ReferencedInstanceSequence=instances,
            )
        ]

    def _sources_of(self, k: int) -> list[Dataset]:
        """Return the headers of the source images in whose slices slice ``k`` of the result lies."""
        columns, rows, _ = self._result.dimensions
        corners = [(x, y, z, 1) for x in (0, columns - 1) for y in (0, rows - 1) for z in (k - 0.5, k + 0.5)]
        across = np.array(corners) @ self._to_source[2]
        last = len(self._series.headers) - 1
        low = int(np.clip(np.floor(across.min() + 0.5 + 1e-3), 0, last))
        high = int(np.clip(np.ceil(across.max() - 0.5 - 1e-3), 0, last))
        return self._series.headers[low : max(low, high) + 1]

    def _source_image(self, header: Dataset) -> Dataset:
        item = self._reference(header)
        purpose = self._code("121322", "Source image for image processing operation")
        item.PurposeOfReferenceCodeSequence = [purpose]
        item.SpatialLocationsPreserved = "YES"
        return item

    def _reference(self, header: Dataset) -> Dataset:
        return self._item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)

    def _code(self, value: str, meaning: str) -> Dataset:
        return self._item(CodeValue=value, CodingSchemeDesignator="DCM", CodeMeaning=meaning)

    def _item(self, **values: Any) -> Dataset:
        item: Dataset = self._pydicom.Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        return item


def _decimals(values: Iterable[float]) -> list[str]:
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]


def _ascii(text: str) -> str:
    # The source's character set may not hold what a name holds.
    return str(text).encode("ascii", "replace").decode().replace("\\", "/")


def _joined(report: dict, key: str) -> str:
    """Return what the report says under ``key`` of each network that ran, joined by ``and``."""
    if not report:
        return "not stated"
    return " and ".join(step[key] for step in report["steps"] if key in step) or "none"
