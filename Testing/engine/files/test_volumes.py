"""Files in and out: their values and matrices, what is refused, and that a file is whole or absent."""

import os
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files import volumes as volume_files
from SuperResolutionLib.files.volumes import read_volume, write_volume
from SuperResolutionLib.geometry.volume import Volume

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"
NIBABEL_IMAGES = Path(nibabel.__file__).parent / "tests" / "data"


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


@pytest.mark.parametrize("suffix, error", [(".nrrd", 1e-9), (".mha", 1e-9), (".nii.gz", 1e-5), (".nii", 1e-5)])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint16, np.float32, np.float64])
def test_values_type_and_matrix_survive_a_file(tmp_path, oblique_phantom, suffix, error, dtype):
    path = tmp_path / f"volume{suffix}"
    voxels = (oblique_phantom.voxels % 251).astype(dtype)
    write_volume(Volume(voxels, oblique_phantom.ijk_to_ras), path)
    read = read_volume(path)
    assert read.voxels.dtype == dtype
    np.testing.assert_array_equal(read.voxels, voxels)
    np.testing.assert_allclose(read.ijk_to_ras, oblique_phantom.ijk_to_ras, atol=error, rtol=0)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_nibabel_and_simpleitk_agree_on_where_our_nifti_lies(tmp_path, oblique_phantom):
    write_volume(oblique_phantom, tmp_path / "v.nii.gz")
    other = nibabel.load(tmp_path / "v.nii.gz")
    np.testing.assert_allclose(other.affine, oblique_phantom.ijk_to_ras, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(other.dataobj).T, oblique_phantom.voxels)


@given(st.integers(0, 10**6))
def test_a_nifti_keeps_any_rigid_or_mirrored_matrix_to_1e_5(tmp_path, seed):
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))  # handedness is random, too
    matrix = np.eye(4)
    matrix[:3, :3] = turn * random.uniform(0.3, 5, 3)
    matrix[:3, 3] = random.uniform(-100, 100, 3)
    write_volume(Volume(np.ones((2, 3, 4), np.int16), matrix), tmp_path / "v.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "v.nii").ijk_to_ras, matrix, atol=1e-5, rtol=0)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_sheared_matrix_survives_a_file(tmp_path, phantom, suffix):
    matrix = np.diag([1.0, 1.0, 3.0, 1.0])
    matrix[0, 2] = 0.6
    write_volume(Volume(phantom.voxels, matrix), tmp_path / f"v{suffix}")
    np.testing.assert_allclose(read_volume(tmp_path / f"v{suffix}").ijk_to_ras, matrix, atol=1e-9)


def test_a_sheared_volume_is_not_written_to_a_nifti_that_would_straighten_it(tmp_path, phantom):
    matrix = np.diag([1.0, 1.0, 3.0, 1.0])
    matrix[0, 2] = 0.6
    with pytest.raises(InputError, match=ONE_SENTENCE):
        write_volume(Volume(phantom.voxels, matrix), tmp_path / "v.nii.gz")
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize("name, modality", [("MR_small.dcm", "MR"), ("CT_small.dcm", "CT")])
def test_a_single_dicom_file_is_read_with_its_modality_and_units(name, modality):
    volume = read_volume(get_testdata_file(name))
    data = pydicom.dcmread(get_testdata_file(name))
    assert volume.modality == modality
    offset = float(data.get("RescaleIntercept", 0))
    np.testing.assert_array_equal(volume.voxels[0], data.pixel_array + offset)
    assert volume.voxels.dtype.kind in "iu"


def test_a_2d_image_becomes_one_slice(tmp_path):
    image = sitk.GetImageFromArray(np.arange(30, dtype=np.uint8).reshape(5, 6))
    image.SetSpacing((0.5, 0.25))
    sitk.WriteImage(image, str(tmp_path / "slice.mha"))
    volume = read_volume(tmp_path / "slice.mha")
    assert volume.dimensions == (6, 5, 1)
    np.testing.assert_allclose(volume.spacing[:2], (0.5, 0.25))


def test_a_4d_image_of_one_volume_is_that_volume(tmp_path, phantom):
    image = sitk.JoinSeries(volume_files.image_from_volume(phantom))
    sitk.WriteImage(image, str(tmp_path / "one.nrrd"))
    read = read_volume(tmp_path / "one.nrrd")
    np.testing.assert_array_equal(read.voxels, phantom.voxels)
    np.testing.assert_allclose(read.ijk_to_ras, phantom.ijk_to_ras)


def _vector(folder):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.float32), isVector=True), str(folder / "f.nrrd"))
    return folder / "f.nrrd"


def _colour(folder):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6, 3), np.uint8), isVector=True), str(folder / "f.png"))
    return folder / "f.png"


def _complex(folder):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), np.complex64), np.eye(4)), folder / "f.nii")
    return folder / "f.nii"


def _text(folder):
    (folder / "f.nrrd").write_text("Dear colleague, please find the scan attached.\n")
    return folder / "f.nrrd"


def _no_bytes(folder):
    (folder / "f.nii.gz").write_bytes(b"")
    return folder / "f.nii.gz"


def _no_voxels(folder):
    (folder / "f.nrrd").write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 0 4 4\nencoding: raw\n\n")
    return folder / "f.nrrd"


def _missing(folder):
    return folder / "f.nrrd"


def _cut(suffix):
    def write(folder):
        voxels = np.random.default_rng(0).integers(0, 30000, (8, 40, 40)).astype(np.int16)
        write_volume(Volume(voxels, np.eye(4)), folder / f"f{suffix}")
        content = (folder / f"f{suffix}").read_bytes()
        (folder / f"f{suffix}").write_bytes(content[: len(content) // 2])
        return folder / f"f{suffix}"

    write.__name__ = f"_cut{suffix}"
    return write


@pytest.mark.parametrize(
    "write",
    [
        *(_vector, _colour, _complex, _text, _no_bytes, _no_voxels, _missing),
        *(_cut(suffix) for suffix in (".nrrd", ".nii.gz", ".nii", ".mha")),
    ],
    ids=lambda write: write.__name__.strip("_"),
)
def test_a_file_that_is_no_grey_scale_volume_is_an_input_error_that_names_it(tmp_path, write):
    path = write(tmp_path)
    with pytest.raises(InputError, match=ONE_SENTENCE) as caught:
        read_volume(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("name", ["example4d.nii.gz", "functional.nii"])
def test_a_series_of_volumes_is_an_input_error(name):
    with pytest.raises(InputError, match="4-D"):
        read_volume(NIBABEL_IMAGES / name)


def test_nibabels_anatomical_image_is_read_as_nibabel_reads_it():
    ours, theirs = read_volume(NIBABEL_IMAGES / "anatomical.nii"), nibabel.load(NIBABEL_IMAGES / "anatomical.nii")
    np.testing.assert_array_equal(ours.voxels, np.asarray(theirs.dataobj).T)
    np.testing.assert_allclose(ours.ijk_to_ras, theirs.affine, atol=1e-5)


@pytest.mark.parametrize("name", ["volume", "volume.jpg", "volume.gz", "volume.dcm"])
def test_an_unknown_suffix_is_an_input_error(tmp_path, phantom, name):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        write_volume(phantom, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path, phantom):
    (tmp_path / "file").write_text("a file is no folder")
    for folder in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(InputError, match=ONE_SENTENCE):
            write_volume(phantom, folder / "v.nrrd")


def test_an_output_name_that_is_a_folder_is_an_input_error(tmp_path, phantom):
    (tmp_path / "v.nrrd").mkdir()
    with pytest.raises(InputError, match=ONE_SENTENCE):
        write_volume(phantom, tmp_path / "v.nrrd")
    assert [file.name for file in tmp_path.iterdir()] == ["v.nrrd"]


@pytest.mark.parametrize("old", [None, b"the file of yesterday"], ids=["new", "over an old file"])
@pytest.mark.parametrize("error", [RuntimeError("ITK: no space left on device"), KeyboardInterrupt(), MemoryError()])
def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path, phantom, monkeypatch, error, old):
    path = tmp_path / "v.nrrd"
    if old:
        path.write_bytes(old)

    def write_half(image, name, **options):
        Path(name).write_bytes(b"half a volume")
        raise error

    monkeypatch.setattr(volume_files.sitk, "WriteImage", write_half)
    with pytest.raises(InputError if isinstance(error, RuntimeError) else type(error)):
        write_volume(phantom, path)
    assert [file.name for file in tmp_path.iterdir()] == (["v.nrrd"] if old else [])
    assert not old or path.read_bytes() == old


def test_a_file_is_replaced_in_one_step_only_once_its_successor_is_whole(tmp_path, phantom, monkeypatch):
    path = tmp_path / "v.nrrd"
    path.write_bytes(b"old")
    seen = []

    def replace(source, target, really_replace=os.replace):
        seen.append((read_volume(source).dimensions, Path(source).parent, path.read_bytes()))
        really_replace(source, target)

    monkeypatch.setattr(volume_files.os, "replace", replace)
    write_volume(phantom, path)
    assert seen == [(phantom.dimensions, tmp_path, b"old")]
    np.testing.assert_array_equal(read_volume(path).voxels, phantom.voxels)


@pytest.mark.parametrize("suffix, kept", [(".nrrd", "CT"), (".mha", "CT"), (".nii.gz", None)])
def test_the_modality_is_kept_by_the_formats_that_can(tmp_path, phantom, suffix, kept):
    write_volume(Volume(phantom.voxels, phantom.ijk_to_ras, "CT"), tmp_path / f"v{suffix}")
    assert read_volume(tmp_path / f"v{suffix}").modality == kept


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_compression_can_be_switched_off(tmp_path, phantom, suffix):
    for compressed in (True, False):
        write_volume(phantom, tmp_path / f"{compressed}{suffix}", compressed)
        np.testing.assert_array_equal(read_volume(tmp_path / f"{compressed}{suffix}").voxels, phantom.voxels)
    small, large = ((tmp_path / f"{compressed}{suffix}").stat().st_size for compressed in (True, False))
    assert small < 0.8 * phantom.voxels.nbytes
    assert suffix == ".nii.gz" or large > phantom.voxels.nbytes


def test_names_with_spaces_and_accents_are_written_and_read(tmp_path, phantom):
    path = tmp_path / "Schädel mit Lücke ×4.nii.gz"
    write_volume(phantom, path)
    np.testing.assert_array_equal(read_volume(path).voxels, phantom.voxels)
