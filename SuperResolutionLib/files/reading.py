"""Volumes out of files: .nrrd, .nii, .nii.gz, .mha, whatever else SimpleITK reads, and DICOM series folders."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..geometry.volume import AXES, LPS_TO_RAS, Shares, Volume
from .bids_sidecar import with_sidecar
from .dicom.headers import is_dicom
from .dicom.reading import read_dicom
from .dicom.tags import ACQUIRED_FROM, ACQUIRED_SHARES, MODALITY, SLICE_AXIS, SLICE_THICKNESS
from .formats import freesurfer
from .formats.metaimage import check_metaimage_data, metaimage_fields, metaimage_intensity, metaimage_millimetres
from .formats.nifti import read_nifti
from .formats.nrrd import check_nrrd, is_segmentation, nrrd_fields, nrrd_millimetres, nrrd_notes
from .formats.raw_voxels import check_one_component, check_one_volume, true_values
from .itk_words import itk_is_quiet

MINC_SUFFIXES = (".mnc", ".mnc.gz", ".mnc2")
READERS = {".mha": "MetaImageIO", ".mhd": "MetaImageIO", ".gipl": "GiplImageIO"}
"""By suffix, the readers that ITK would not choose for a name in capitals."""
_ACQUIRED = (ACQUIRED_SHARES, ACQUIRED_FROM)


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
        if path.is_symlink():
            raise InputError(f"{path} is a link to a file that is not there; fetch it, or mend the link.")
        raise InputError(f"There is no file {path}; check the path.")
    if path.is_dir():
        return read_dicom(path, series, echo)
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise InputError(f"{path.name} is empty, a file of 0 bytes; get a fresh copy of the file.")
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read ({error.strerror}); check the file and its permissions."
        ) from None
    if is_dicom(path):
        return read_dicom(path, series, echo)
    if series is not None or echo is not None:
        raise InputError(
            f"{path.name} is no DICOM, whose series and echoes can be chosen; leave out --series and --echo."
        )
    name = path.name.lower()
    if name.endswith(freesurfer.SUFFIXES):
        return freesurfer.read_freesurfer(path)
    if name.endswith(MINC_SUFFIXES):
        raise InputError(
            f"{path.name} is a MINC file, which ITK turns by 180 degrees; convert it by mnc2nii, and give that."
        )
    nifti = read_nifti(path)
    return _read_by_itk(path) if nifti is None else with_sidecar(nifti, path)


def _read_by_itk(path: Path) -> Volume:
    nrrd, metaimage = nrrd_fields(path), metaimage_fields(path)
    if nrrd is not None:
        check_nrrd(path, nrrd)
    if metaimage is not None:
        check_metaimage_data(path, metaimage)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    by_suffix = [name for suffix, name in READERS.items() if path.name.lower().endswith(suffix)]
    if by_suffix:
        reader.SetImageIO(by_suffix[0])
    try:
        with itk_is_quiet():
            reader.ReadImageInformation()
    except RuntimeError:
        raise InputError(f"{path.name} is not an image that can be read; give .nrrd, .nii.gz, .mha or DICOM.") from None
    if nrrd is not None and is_segmentation(nrrd) and reader.GetNumberOfComponents() > 1:
        raise InputError(f"{path.name} is a segmentation whose segments overlap; export them to a label map each.")
    check_one_component(path.name, reader.GetNumberOfComponents())
    check_one_volume(path.name, reader.GetSize())
    try:
        with itk_is_quiet():
            image = reader.Execute()
    except RuntimeError:
        raise InputError(f"{path.name} is damaged or cut short; get a fresh copy of the file.") from None
    volume = _volume_from_image(image, path)
    if path.name.lower().endswith(".gipl") and path.stat().st_size < volume.voxels.nbytes:
        raise InputError(f"{path.name} is damaged or cut short; get a fresh copy of the file.")
    if nrrd is not None:
        scale, notes = nrrd_millimetres(path.name, nrrd)
        volume = replace(volume, notes=(*nrrd_notes(nrrd), *notes))
        if is_segmentation(nrrd):
            volume = replace(volume, modality="SEG")
    elif metaimage is not None:
        scale, notes = metaimage_millimetres(path.name, metaimage)
        slope, offset = metaimage_intensity(path.name, metaimage)
        volume = replace(volume, voxels=true_values(volume.voxels, slope, offset), notes=tuple(notes))
    else:
        scale = 1.0
    return volume if scale == 1 else replace(volume, ijk_to_ras=np.diag([scale, scale, scale, 1.0]) @ volume.ijk_to_ras)


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
    shares, shares_from = _acquired(image)
    return Volume(
        sitk.GetArrayFromImage(image),
        LPS_TO_RAS @ matrix,
        modality,
        _slice_thickness(image),
        _slice_axis(image),
        acquired_shares=shares,
        acquired_from=shares_from,
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


def _acquired(image: sitk.Image) -> tuple[Shares, str | None]:
    shares, said_by = (image.GetMetaData(key) if image.HasMetaDataKey(key) else "" for key in _ACQUIRED)
    try:
        i, j, k = (None if word == "?" else float(word) for word in shares.split())
    except ValueError:
        return (None, None, None), None
    known = [share for share in (i, j, k) if share is not None]
    if not known or not all(0 < share <= 1 for share in known) or not said_by.strip():
        return (None, None, None), None
    return (i, j, k), said_by.strip()
