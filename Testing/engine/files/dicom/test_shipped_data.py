"""Every DICOM file and folder in pydicom's wheel is read as pydicom sees it, or refused by one sentence."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data.data_manager import DATA_ROOT

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.headers import is_dicom
from SuperResolutionLib.files.dicom.reading import dicom_files, dicom_series_in
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.volume import LPS_TO_RAS

ROOT = Path(DATA_ROOT) / "test_files"
FILES = sorted(path for path in ROOT.rglob("*") if path.is_file() and is_dicom(path))
FOLDERS = sorted({path.parent for path in FILES} - {ROOT})
READ = {"693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small.dcm", "examples_overlay.dcm"}


def check_against_pydicom(volume, paths):
    """Check each file's voxels and place in the volume."""
    to_index = np.linalg.inv(LPS_TO_RAS @ volume.ijk_to_ras)
    assert volume.dimensions[2] == len(paths)
    for path in paths:
        data = pydicom.dcmread(path)
        first = np.array([*map(float, data.ImagePositionPatient), 1.0])
        row, column = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
        row, column = row / np.linalg.norm(row), column / np.linalg.norm(column)
        along = (data.Columns - 1) * float(data.PixelSpacing[1]) * row
        along = along + (data.Rows - 1) * float(data.PixelSpacing[0]) * column
        index = to_index @ first
        k = round(index[2])
        np.testing.assert_allclose(index[:3], [0, 0, k], atol=1e-4)
        last = to_index @ (first + [*along, 0])
        np.testing.assert_allclose(last[:3], [data.Columns - 1, data.Rows - 1, k], atol=1e-3)
        slope, intercept = float(data.get("RescaleSlope", 1)), float(data.get("RescaleIntercept", 0))
        try:
            pixels = data.pixel_array
        except Exception:  # pydicom lacks a decoder here
            continue
        np.testing.assert_array_equal(volume.voxels[k], pixels * slope + intercept)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_shipped_file_is_right_or_refused_by_a_sentence(path):
    try:
        volume = read_volume(path)
    except InputError as error:
        assert path.name not in READ
        assert "\n" not in str(error) and str(error).endswith(".") and "; " in str(error)
    else:
        check_against_pydicom(volume, [path])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_shipped_series_is_right_or_refused_by_a_sentence(folder):
    for series in dicom_series_in(folder):
        try:
            volume = read_volume(folder, series)
        except InputError as error:
            assert folder.name != "CT5N"
            assert "\n" not in str(error) and str(error).endswith(".") and "; " in str(error)
        else:
            check_against_pydicom(volume, dicom_files(folder, series))
