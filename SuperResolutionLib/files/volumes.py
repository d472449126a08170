"""Volumes in and out of files: .nrrd, .nii, .nii.gz, .mha, whatever else SimpleITK reads, and DICOM series folders."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..geometry.volume import Volume

OUTPUT_SUFFIXES = (".nii.gz", ".nrrd", ".nii", ".mha")
MODALITY, SLICE_THICKNESS = "0008|0060", "0018|0050"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


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
        return _volume_from_image(_read_series(path, series), path)
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


def dicom_series_in(folder: os.PathLike | str) -> tuple[str, ...]:
    """Return the identifiers of the DICOM series whose images lie in a folder (not below it)."""
    sitk.ProcessObject.GlobalWarningDisplayOff()  # GDCM prints its own line about a folder without DICOM
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    sitk.ProcessObject.GlobalWarningDisplayOn()
    return tuple(series)


def dicom_files(folder: os.PathLike | str, series: str) -> tuple[str, ...]:
    """Return the files of one of ``dicom_series_in`` the folder, by slice."""
    return tuple(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series))


def _read_series(folder: Path, series: str | None) -> sitk.Image:
    found = dicom_series_in(folder)
    if not found:
        raise InputError(f"The folder {folder} holds no DICOM series; give an image file or a DICOM folder.")
    if series is None and len(found) > 1:
        raise InputError(f"The folder {folder} holds {len(found)} DICOM series; give a folder with one series.")
    names = dicom_files(folder, series or found[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
    except RuntimeError:
        raise InputError(f"The DICOM series in {folder} cannot be read; its slices differ or are damaged.") from None
    _check_slice_positions(reader, len(names), folder)
    for key in (MODALITY, SLICE_THICKNESS):
        if reader.HasMetaDataKey(0, key):
            image.SetMetaData(key, reader.GetMetaData(0, key))
    return image


def _check_slice_positions(reader: sitk.ImageSeriesReader, count: int, folder: Path) -> None:
    key = "0020|0032"
    if count < 3 or not all(reader.HasMetaDataKey(index, key) for index in range(count)):
        return
    positions = np.array([[float(v) for v in reader.GetMetaData(n, key).split("\\")] for n in range(count)])
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    if steps.min() < 1e-3 or steps.max() - steps.min() > 0.1 * steps.mean():
        raise InputError(
            f"The slices in {folder} are {steps.min():.2f} to {steps.max():.2f} mm apart; resample the series to"
            " even slices first."
        )


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


def image_from_volume(volume: Volume) -> sitk.Image:
    """Return the volume as a SimpleITK image (LPS mm), sharing no memory with it; .nrrd and .mha keep its modality
    and slice thickness."""
    image = sitk.GetImageFromArray(volume.voxels)
    matrix = LPS_TO_RAS @ volume.ijk_to_ras
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetSpacing(volume.spacing)
    image.SetDirection((matrix[:3, :3] / np.array(volume.spacing)).ravel().tolist())
    if volume.modality:
        image.SetMetaData(MODALITY, volume.modality)
    if volume.slice_thickness:
        image.SetMetaData(SLICE_THICKNESS, f"{volume.slice_thickness:g}")
    return image


def check_output_path(path: os.PathLike | str) -> None:
    """Raise InputError unless a volume can be written to ``path``: a known suffix, in a folder that can be written."""
    path = Path(path)
    if not path.name.lower().endswith(OUTPUT_SUFFIXES):
        raise InputError(f"Cannot write {path.name}; end the output's name in {', '.join(OUTPUT_SUFFIXES)}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the output another name.")
    check_output_folder(path)


def check_format_holds(volume: Volume, path: os.PathLike | str) -> None:
    """Raise InputError where the format of ``path`` would straighten a sheared volume: NIfTI, as ITK writes it."""
    if volume.is_sheared and Path(path).name.lower().endswith((".nii", ".nii.gz")):
        raise InputError("NIfTI files cannot hold a sheared volume; end the output's name in .nrrd.")


def check_output_folder(path: os.PathLike | str) -> None:
    """Raise InputError unless a file can be made beside ``path``."""
    probe = temporary_name(path)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"Cannot write into the folder {Path(path).absolute().parent} ({error.strerror}); choose another folder."
        ) from None


def temporary_name(path: os.PathLike | str) -> Path:
    """Return a hidden name beside ``path``, with its suffix, for a file that is renamed once it is whole."""
    path = Path(path)
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def write_volume(volume: Volume, path: os.PathLike | str, compressed: bool = True) -> None:
    """Write the volume under a temporary name, then rename: ``path`` is whole or absent.

    Raises:
        InputError: the suffix is unknown, or the folder cannot be written or is full.
    """
    check_output_path(path)
    check_format_holds(volume, path)
    partial = temporary_name(path)
    try:
        sitk.WriteImage(image_from_volume(volume), str(partial), useCompression=compressed, compressionLevel=1)
        os.replace(partial, path)
    except (RuntimeError, OSError) as error:
        raise InputError(f"Cannot write {path}: {str(error).splitlines()[-1].strip()}") from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name, then rename."""
    partial = temporary_name(path)
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
