"""A result as a derived DICOM series of the study that it was made from, of one series or of several."""

from __future__ import annotations

import copy
import datetime
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from ...errors import Cancelled, InputError
from ...geometry.volume import LPS_TO_RAS, Volume
from ...version import VERSION
from ..whole_outputs import check_output_folder, remove_what_died, temporary_name
from .attributes import (
    EQUIPMENT,
    KEPT,
    KEPT_GROUPS,
    KEPT_OF_ACQUISITION,
    KEPT_OF_MODALITY,
    MAY_BE_EMPTY,
    MAY_BE_EMPTY_OF_MODALITY,
)
from .headers import import_pydicom
from .origin import Origin, corners
from .pixels import StoredPixels, store_pixels
from .series import DicomSeries, read_dicom_series

if TYPE_CHECKING:
    from pydicom import Dataset

DISCLAIMER = "Predicted by a neural network for research; not for diagnosis."
DISCLAIMER_OF_FUSION = "Computed from several series, and predicted in part, for research; not for diagnosis."
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
    others: Sequence[tuple[os.PathLike | str, str | None]] = (),
    is_error: bool = False,
) -> str:
    """Write ``result`` as a derived series, one file a slice, and return its Series Instance UID.

    The series is of the source's patient, study and frame of reference, has UIDs of its own, names the source images
    and says how it was made. A fused result is derived from all its series: patient, study, frame of reference and
    description are the first one's, and what was acquired otherwise in another is left out. Slices are ordered along
    the normal of the slice plane. Voxels that are 16-bit integers are stored exactly; others on 65536 even steps, whose
    size the derivation description states. The folder appears under its name when it is whole.

    Args:
        source_folder: the DICOM series, MR or CT Image Storage, that ``result`` was made from.
        output_folder: a new or empty folder.
        report: of ``upscale`` or ``fuse``, for the derivation description; a fusion's also says where the series lie.
        cancelled: polled after each slice.
        series, echo: which images of ``source_folder``, as of ``read_dicom``.
        others: folder and series of each further series that ``result`` was fused from, in the order of the fusion.
        is_error: whether ``result`` is the expected error of what was made of the series, which the new one says then.

    Raises:
        InputError: pydicom is not there; a series is none that can be derived from, or is of another patient; the
            result does not lie in them, is sheared or is not what the report describes; the output folder is not empty
            or cannot be written.
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
    sources = [read_dicom_series(source_folder, series, echo), *(read_dicom_series(*other) for other in others)]
    _check_alike(sources)
    origins = _origins(sources, result, report or {})
    _check_geometry(result, origins)
    if report and tuple(report["output"]["dimensions_ijk"]) != result.dimensions:
        raise InputError("The report describes another volume than the result; give the report that was made with it.")
    pixels = store_pixels(result.voxels)
    image = _DerivedImages(pydicom, origins, result, pixels, report or {}, is_error)
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


def _check_alike(sources: list[DicomSeries]) -> None:
    for keyword in ("PatientID", "SOPClassUID"):
        if len({str(source.headers[0].get(keyword)) for source in sources}) > 1:
            raise InputError(f"The series differ in {keyword}; give the series that the result was fused from.")


def _origins(sources: list[DicomSeries], result: Volume, report: dict) -> list[Origin]:
    fusions = [step for step in report.get("steps", []) if step["kind"] == "fusion"]
    if not fusions:
        return [Origin(source, result) for source in sources]
    scans = fusions[0]["scans"]
    sizes = [scan["dimensions_ijk"] for scan in scans]
    if sizes != [list(source.volume.dimensions) for source in sources]:
        raise InputError(
            f"The report is of the fusion of {len(scans)} other scans; give the series that the result was fused from,"
            " in the same order."
        )
    return [Origin(source, result, np.array(scan["movement"])) for source, scan in zip(sources, scans)]


def _check_geometry(result: Volume, origins: list[Origin]) -> None:
    if result.is_sheared:
        raise InputError("The result's axes are not at right angles, which DICOM images cannot hold.")
    first = origins[0].series.volume
    to_indices = np.linalg.inv(first.ijk_to_ras)[:3]
    boxes = np.concatenate([np.pad(origin.corners(), ((0, 0), (0, 1)), constant_values=1) for origin in origins])
    held = boxes @ to_indices.T
    indices = corners(result) @ origins[0].to_source[:3].T
    outside = np.maximum(held.min(axis=0) - indices, indices - held.max(axis=0)) * np.array(first.spacing)
    # A target spacing may add up to one fine voxel at an end.
    allowed = np.maximum(0.5 * np.array(first.spacing), 0 if len(origins) == 1 else max(result.spacing))
    if (outside > allowed).any():
        raise InputError(
            f"The result sticks out of the source series by {outside.max():.1f} mm; give the series it was made from."
        )


class _DerivedImages:
    """One dataset with all that the images share; ``write`` sets what each has of its own."""

    def __init__(
        self,
        pydicom: ModuleType,
        origins: list[Origin],
        result: Volume,
        pixels: StoredPixels,
        report: dict,
        is_error: bool,
    ) -> None:
        self._pydicom = pydicom
        self._is_error = is_error
        self._origins = origins
        self._series = series = origins[0].series
        self._is_fused = len(origins) > 1
        self._result = result
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
        shown = [origin for origin in self._origins if origin.shows(k)] if self._is_fused else []
        data.SourceImageSequence = [
            self._source_image(header, origin.moved)
            for origin in shown or self._origins[:1]
            for header in origin.images_at(k)
        ]
        data.PixelData = self._pixels.stored(k).tobytes()
        data.save_as(path)

    def _keep(self) -> None:
        data, modality = self.dataset, self._series.modality
        first = self._series.headers[0]
        for keyword in KEPT:
            if self._series.value(keyword) is not None:
                data.add(copy.deepcopy(first[keyword]))
        for keyword in (*KEPT_OF_ACQUISITION, *KEPT_OF_MODALITY[modality]):
            value, *others = (origin.series.value(keyword) for origin in self._origins)
            if value is not None and all(other == value for other in others):
                data.add(copy.deepcopy(first[keyword]))
        for group in KEPT_GROUPS:
            for element in first.group_dataset(group):
                data.add(copy.deepcopy(element))
        for keyword in (*MAY_BE_EMPTY, *MAY_BE_EMPTY_OF_MODALITY[modality]):
            if keyword not in data:
                setattr(data, keyword, None)
        # A source that names a part of the body has said which side, or means one that has none.
        if not any(keyword in data for keyword in ("ImageLaterality", "Laterality", "BodyPartExamined")):
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
        scanners = [self._scanner(origin.series) for origin in self._origins]
        data.ContributingEquipmentSequence = [
            scanner for number, scanner in enumerate(scanners) if scanner not in scanners[:number]
        ]

    def _scanner(self, series: DicomSeries) -> Dataset:
        scanner = self._item(PurposeOfReferenceCodeSequence=[self._code("109101", "Acquisition Equipment")])
        for keyword in EQUIPMENT:
            if series.value(keyword) is not None:
                scanner.add(copy.deepcopy(series.headers[0][keyword]))
        scanner.Manufacturer = scanner.get("Manufacturer") or "unknown"
        return scanner

    def _place(self, orientation: np.ndarray, spacing: np.ndarray) -> None:
        data = self.dataset
        data.ImageOrientationPatient = _decimals(orientation)
        data.PixelSpacing = _decimals([spacing[1], spacing[0]])
        # Slices that stay where they were are as thick as they were, gap or overlap aside; new ones fill their spacing.
        slices_stay = not self._is_fused and abs(abs(self._origins[0].to_source[2, 2]) - 1) < 1e-3
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
        if self._is_fused:
            size = "x".join(f"{value:.3g}" for value in dict.fromkeys(np.round(self._result.spacing, 4)))
            short, made = f"fused {size} mm", f"fusion of {len(self._origins)} series, {size} mm"
        else:
            factors = [1 / np.linalg.norm(column) for column in self._origins[0].to_source[:3, :3].T]
            factor = "x".join(f"{value:.3g}" for value in factors)
            short, made = f"SR {factor}", f"factor {factor} (columns x rows x slices)"
        disclaimer = DISCLAIMER_OF_FUSION if self._is_fused else DISCLAIMER
        name = _ascii(series.value("SeriesDescription", "")).strip()
        ending = f"{short} {'expected error, ' * self._is_error}not for diagnosis"
        data.SeriesDescription = f"{name[: 63 - len(ending)]} {ending}".strip()
        data.ImageComments = f"{ERROR_SENTENCE} {disclaimer}" if self._is_error else disclaimer
        details = [step["detail"] for step in report.get("steps", []) if "detail" in step]
        words = [
            f"{_ascii(report.get('program', 'SuperResolution'))}, model {_ascii(_joined(report, 'model'))}",
            f"SHA-256 {_joined(report, 'model_sha256')}",
            made,
            f"detail {details[0]:g}" if details else "detail not stated",
        ]
        precision = "" if pixels.exact else f" Real values are stored in steps of {pixels.step:.3g}."
        data.DerivationDescription = f"{', '.join(words)}. {data.ImageComments}{precision}"[:1024]
        data.DerivationCodeSequence = [self._code("113085", "Spatial resampling")]
        studies: dict[str, list[Dataset]] = {}
        for origin in self._origins:
            header = origin.series.headers[0]
            item = self._item(
                SeriesInstanceUID=header.SeriesInstanceUID,
                ReferencedInstanceSequence=[self._reference(each) for each in origin.series.headers],
            )
            studies.setdefault(header.StudyInstanceUID, []).append(item)
        data.ReferencedSeriesSequence = studies.pop(data.StudyInstanceUID)
        if studies:
            data.StudiesContainingOtherReferencedInstancesSequence = [
                self._item(StudyInstanceUID=uid, ReferencedSeriesSequence=items) for uid, items in studies.items()
            ]

    def _source_image(self, header: Dataset, moved: bool) -> Dataset:
        item = self._reference(header)
        purpose = self._code("121322", "Source image for image processing operation")
        item.PurposeOfReferenceCodeSequence = [purpose]
        item.SpatialLocationsPreserved = "NO" if moved else "YES"
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

    texts = [(format_number_as_ds(float(value)), value) for value in values]
    # 9.999999999999996 becomes 10.00000000000000, of 17 characters, where DICOM allows 16.
    return [text if len(text) <= 16 else format_number_as_ds(round(float(value), 9)) for text, value in texts]


def _ascii(text: str) -> str:
    # The source's character set may not hold what a name holds.
    return str(text).encode("ascii", "replace").decode().replace("\\", "/")


def _joined(report: dict, key: str) -> str:
    """Return what the report says under ``key`` of each network that ran, joined by ``and``."""
    if not report:
        return "not stated"
    return " and ".join(step[key] for step in report["steps"] if key in step) or "none"
