"""The DICOM series in a folder, and the image that one of them makes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import InputError
from .tags import MODALITY, SLICE_THICKNESS


def dicom_series_in(folder: os.PathLike | str) -> tuple[str, ...]:
    """Return the identifiers of the DICOM series whose images lie in a folder (not below it)."""
    sitk.ProcessObject.GlobalWarningDisplayOff()  # GDCM prints its own line about a folder without DICOM
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    sitk.ProcessObject.GlobalWarningDisplayOn()
    return tuple(series)


def dicom_files(folder: os.PathLike | str, series: str) -> tuple[str, ...]:
    """Return the files of one of ``dicom_series_in`` the folder, by slice."""
    return tuple(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series))


def series_image(folder: Path, series: str | None) -> sitk.Image:
    """Return the image (LPS mm) of a series in a folder, its slices in their order in space.

    Its metadata holds ``tags.MODALITY`` and ``tags.SLICE_THICKNESS`` where the series states them.

    Args:
        series: which of ``dicom_series_in`` the folder; None where it holds one.

    Raises:
        InputError: no series there, several and none chosen, slices that differ or are damaged, or uneven slices.
    """
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
