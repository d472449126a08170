"""DICOM series in: their order in space, their modality, and which folders are refused."""

import time

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"


def write_series(folder, positions, series="1.2.3", values=None, modality="MR"):
    """Write a DICOM series with one slice at each position along the normal, in a shuffled order of file names."""
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.array([0, np.sin(0.3), np.cos(0.3)])
    for number, position in enumerate(positions):
        data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
        data.SeriesInstanceUID, data.SOPInstanceUID = series, generate_uid()
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.Modality = modality
        data.InstanceNumber = number + 1
        data.ImageOrientationPatient = [1, 0, 0, 0, np.cos(0.3), -np.sin(0.3)]
        data.ImagePositionPatient = [round(float(v), 6) for v in np.array([-83.9, -91.2, 6.64]) + position * normal]
        data.PixelData = (data.pixel_array + (100 * number if values is None else values[number])).tobytes()
        data.save_as(folder / f"{(7 * number) % 10}-{series}-{number}.dcm")


def test_a_dicom_series_becomes_one_volume_in_its_order_in_space(tmp_path):
    write_series(tmp_path, [0.0, 1.5, 3.0, 4.5])
    (tmp_path / "readme.txt").write_text("not a slice")
    volume = read_volume(tmp_path)
    slice_0 = pydicom.dcmread(get_testdata_file("MR_small.dcm")).pixel_array
    assert volume.voxels.dtype == np.int16
    assert volume.modality == "MR"
    np.testing.assert_array_equal(volume.voxels, slice_0 + 100 * np.arange(4).reshape(-1, 1, 1))
    assert volume.spacing == pytest.approx((0.3125, 0.3125, 1.5), abs=1e-5)
    np.testing.assert_allclose(volume.ijk_to_ras[:3, 3], [83.9, 91.2, 6.64], atol=1e-5)
    np.testing.assert_allclose(volume.ijk_to_ras[:3, 2], 1.5 * np.array([0, -np.sin(0.3), np.cos(0.3)]), atol=1e-5)


def test_a_single_dicom_slice_in_a_folder_is_a_volume_of_one_slice(tmp_path):
    write_series(tmp_path, [0.0])
    assert read_volume(tmp_path).dimensions == (64, 64, 1)


def test_the_modality_of_a_ct_series_is_known(tmp_path):
    write_series(tmp_path, [0.0, 1.0, 2.0], modality="CT")
    assert read_volume(tmp_path).modality == "CT"


@pytest.mark.parametrize("positions", [[0, 1.5, 3, 6], [0, 1, 2, 2, 3], [0, 0, 0]], ids=["gap", "twice", "one place"])
def test_slices_at_uneven_distances_are_an_input_error(tmp_path, positions):
    write_series(tmp_path, positions)
    with pytest.raises(InputError, match=ONE_SENTENCE):
        read_volume(tmp_path)


def test_two_series_in_a_folder_are_an_input_error(tmp_path):
    write_series(tmp_path, [0.0, 1.0], series="1.2.3")
    write_series(tmp_path, [0.0, 1.0], series="1.2.4")
    with pytest.raises(InputError, match="2 DICOM series"):
        read_volume(tmp_path)


def test_a_folder_without_dicom_is_an_input_error(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match="no DICOM series"):
        read_volume(tmp_path)


def test_reading_takes_at_most_1_3_times_what_simpleitk_alone_takes(tmp_path):
    data = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    data.Rows = data.Columns = 512
    data.PixelData = bytes(2 * 512 * 512)
    for number in range(30):
        data.SOPInstanceUID, data.ImagePositionPatient = f"1.2.{number}", [0, 0, 2.0 * number]
        data.save_as(tmp_path / f"{number:02d}.dcm")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sorted(map(str, tmp_path.iterdir())))

    def quickest(read):
        def seconds():
            start = time.process_time()
            read()
            return time.process_time() - start

        return min(seconds() for _ in range(5))

    assert quickest(lambda: read_volume(tmp_path)) < 1.3 * quickest(reader.Execute)
