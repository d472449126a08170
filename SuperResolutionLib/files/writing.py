"""Volumes into files: .nrrd, .nii.gz, .nii and .mha."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..geometry.volume import AXES, LPS_TO_RAS, Volume
from . import slice_by_slice
from .dicom.tags import ACQUIRED_FROM, ACQUIRED_SHARES, MODALITY, SLICE_AXIS, SLICE_THICKNESS
from .itk_words import itk_is_quiet
from .whole_outputs import OUTPUT_SUFFIXES, WholeOutputs, check_output_folder

NIFTI_SUFFIXES = (".nii", ".nii.gz")


def write_volume(volume: Volume, path: os.PathLike | str, compressed: bool = True) -> None:
    """Write the volume under a temporary name, read it back, then rename: ``path`` is whole or absent.

    Raises:
        InputError: the suffix is unknown, or the folder cannot be written or is full.
    """
    check_output_path(path)
    check_format_holds(volume, path)
    with WholeOutputs() as outputs:
        outputs.add(path, lambda partial: store_volume(volume, partial, compressed))


def store_volume(volume: Volume, path: Path, compressed: bool = True) -> None:
    """Write the volume as it is named, and read it back.

    Raises:
        OSError, RuntimeError: it cannot be written, or what is on the disk is not what was written, as on a full disk,
            which ITK does not notice in NIfTI files.
    """
    if slice_by_slice.can_write(volume, path):
        slice_by_slice.write(volume, path, compressed, lambda few: _write_by_itk(few, path, False))
        return
    _write_by_itk(volume, path, compressed)
    with itk_is_quiet():
        image = sitk.ReadImage(str(path))
    voxels = sitk.GetArrayViewFromImage(image)  # no copy: the image stays until the comparison is done
    if voxels.shape != volume.voxels.shape or not all(map(_equal, voxels, volume.voxels)):
        raise OSError("the file was not whole when it was read back; is the disk full?")


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


def _write_by_itk(volume: Volume, path: Path, compressed: bool) -> None:
    with itk_is_quiet():
        sitk.WriteImage(image_from_volume(volume), str(path), useCompression=compressed, compressionLevel=1)


def image_from_volume(volume: Volume) -> sitk.Image:
    """Return the volume as a SimpleITK image (LPS mm), sharing no memory with it; .nrrd and .mha keep its modality,
    slice thickness, slice axis and acquired shares."""
    image = sitk.GetImageFromArray(volume.voxels)
    matrix = LPS_TO_RAS @ volume.ijk_to_ras
    image.SetOrigin(matrix[:3, 3].tolist())
    image.SetSpacing(volume.spacing)
    image.SetDirection((matrix[:3, :3] / np.array(volume.spacing)).ravel().tolist())
    if volume.modality:
        image.SetMetaData(MODALITY, volume.modality)
    if volume.slice_thickness:
        image.SetMetaData(SLICE_THICKNESS, f"{volume.slice_thickness:g}")
    if volume.slice_axis is not None:
        image.SetMetaData(SLICE_AXIS, AXES[volume.slice_axis])
    if any(volume.acquired_shares) and volume.acquired_from:
        words = ("?" if share is None else f"{share:.9g}" for share in volume.acquired_shares)
        image.SetMetaData(ACQUIRED_SHARES, " ".join(words))
        image.SetMetaData(ACQUIRED_FROM, volume.acquired_from)
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
    if volume.is_sheared and Path(path).name.lower().endswith(NIFTI_SUFFIXES):
        raise InputError("NIfTI files cannot hold a sheared volume; let upscale write it to a name that ends in .nrrd.")
