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
from ..geometry.volume import LPS_TO_RAS, Volume
from .dicom.reading import series_image
from .dicom.tags import MODALITY, SLICE_THICKNESS


def read_volume(path: os.PathLike | str, series: str | None = None) -> Volume:
    """Read an image file or a DICOM series in a folder.

    Args:
        series: which of ``dicom_series_in`` the folder; None where it holds one.

    Raises:
        InputError: nothing there, not an image, several series or uneven slices in the folder, more than one
            component per voxel, or a fourth dimension.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file {path}; check the path.")
    if path.is_dir():
        return _volume_from_image(series_image(path, series), path)
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
    return Volume(sitk.GetArrayFromImage(image), LPS_TO_RAS @ matrix, modality, _slice_thickness(image))


def _slice_thickness(image: sitk.Image) -> float | None:
    try:
        thickness = float(image.GetMetaData(SLICE_THICKNESS)) if image.HasMetaDataKey(SLICE_THICKNESS) else 0.0
    except ValueError:
        return None
    return thickness if 0 < thickness < math.inf else None
