"""Volumes into files: .nrrd, .nii.gz, .nii and .mha."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..geometry.volume import AXES, LPS_TO_RAS, Volume
from .dicom.tags import MODALITY, SLICE_AXIS, SLICE_THICKNESS
from .whole_outputs import check_output_folder, temporary_name

OUTPUT_SUFFIXES = (".nii.gz", ".nrrd", ".nii", ".mha")


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


def image_from_volume(volume: Volume) -> sitk.Image:
    """Return the volume as a SimpleITK image (LPS mm), sharing no memory with it; .nrrd and .mha keep its modality,
    slice thickness and slice axis."""
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
