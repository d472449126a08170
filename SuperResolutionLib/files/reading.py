"""Volumes out of files: .nrrd, .nii, .nii.gz, .mha, whatever else SimpleITK reads, and DICOM series folders."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..geometry.volume import AXES, LPS_TO_RAS, Volume
from .dicom.headers import is_dicom
from .dicom.reading import read_dicom
from .dicom.tags import MODALITY, SLICE_AXIS, SLICE_THICKNESS


def read_volume(path: os.PathLike | str, series: str | None = None, echo: int | None = None) -> Volume:
    """Read an image file or a DICOM series in a folder.

    Args:
        series, echo: which DICOM images, as of ``read_dicom``.

    Raises:
        InputError: nothing there, not an image, more than one component per voxel, a fourth dimension, or DICOM images
            that ``read_dicom`` refuses.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file {path}; check the path.")
    if path.is_dir() or is_dicom(path):
        return read_dicom(path, series, echo)
    if series is not None or echo is not None:
        raise InputError(
            f"{path.name} is no DICOM, whose series and echoes can be chosen; leave out --series and --echo."
        )
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise InputError(f"{path.name} is not an image that can be read; give .nrrd, .nii.gz, .mha or DICOM.") from None
    if reader.GetNumberOfComponents() > 1:
        raise InputError(
            f"{path.name} has {reader.GetNumberOfComponents()} components per voxel (colour, vector or complex);"
            " choose a grey-scale volume."
        )
    if any(size == 0 for size in reader.GetSize()):
        raise InputError(f"{path.name} is empty; choose a volume with voxels.")
    if reader.GetDimension() > 3 and any(size > 1 for size in reader.GetSize()[3:]):
        raise InputError(
            f"{path.name} is a series of {reader.GetSize()[3]} volumes (4-D); extract one volume and upscale that."
        )
    _check_that_nifti_is_whole(path, reader)
    try:
        image = reader.Execute()
    except RuntimeError:
        raise InputError(f"{path.name} is damaged or cut short; get a fresh copy of the file.") from None
    return _volume_from_image(image, path)


def _check_that_nifti_is_whole(path: Path, reader: sitk.ImageFileReader) -> None:
    """Raise InputError for a truncated NIfTI file, whose missing voxels ITK would give as zeros, without a word."""
    keys = ("vox_offset", "bitpix", *(f"dim[{axis}]" for axis in range(1, 8)))
    if not path.name.lower().endswith((".nii", ".nii.gz")) or not all(reader.HasMetaDataKey(key) for key in keys):
        return
    offset, bits, *sizes = (float(reader.GetMetaData(key)) for key in keys)
    expected = offset + bits / 8 * math.prod(max(1, size) for size in sizes)
    try:
        with open(path, "rb") as plain:
            compressed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if compressed else open(path, "rb") as file:
            found = file.seek(int(expected)) if compressed else path.stat().st_size
    except (EOFError, zlib.error, OSError):
        found = 0
    if found < expected:
        raise InputError(f"{path.name} is damaged or cut short; get a fresh copy of the file.")


def _volume_from_image(image: sitk.Image, path: Path) -> Volume:
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(f"{path.name} is a colour or vector image; choose a grey-scale volume.")
    while image.GetDimension() > 3:
        image = image[..., 0]
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    modality = image.GetMetaData(MODALITY).strip() if image.HasMetaDataKey(MODALITY) else None
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return Volume(
        sitk.GetArrayFromImage(image), LPS_TO_RAS @ matrix, modality, _slice_thickness(image), _slice_axis(image)
    )


def _slice_thickness(image: sitk.Image) -> float | None:
    try:
        thickness = float(image.GetMetaData(SLICE_THICKNESS)) if image.HasMetaDataKey(SLICE_THICKNESS) else 0.0
    except ValueError:
        return None
    return thickness if 0 < thickness < math.inf else None


def _slice_axis(image: sitk.Image) -> int | None:
    name = image.GetMetaData(SLICE_AXIS).strip() if image.HasMetaDataKey(SLICE_AXIS) else ""
    return AXES.index(name) if len(name) == 1 and name in AXES else None
