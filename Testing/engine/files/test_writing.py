"""Files out: their values and matrices, what is refused, and that a file is whole or absent."""

import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.tags import ACQUIRED_FROM, ACQUIRED_SHARES
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import image_from_volume, write_volume
from SuperResolutionLib.geometry.volume import Volume

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"


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


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_what_a_series_said_survives_a_file(tmp_path, phantom, suffix, axis):
    write_volume(Volume(phantom.voxels, phantom.ijk_to_ras, "MR", 2.5, axis), tmp_path / f"v{suffix}")
    read = read_volume(tmp_path / f"v{suffix}")
    assert (read.modality, read.slice_thickness, read.slice_axis) == ("MR", 2.5, axis)
    cropped = read.cropped((1, 1, 0), (9, 9, 2))
    assert (cropped.modality, cropped.slice_thickness, cropped.slice_axis) == ("MR", 2.5, axis)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("shares", [(230 / 512, 1.0, None), (None, None, 0.5), (1 / 3, 0.9, 1.0)], ids=str)
def test_what_a_series_said_of_its_matrix_survives_a_file_and_a_crop(tmp_path, phantom, suffix, shares):
    said = replace(phantom, acquired_shares=shares, acquired_from="the DICOM header")
    write_volume(said, tmp_path / f"v{suffix}")
    read = read_volume(tmp_path / f"v{suffix}")
    for found, share in zip(read.acquired_shares, shares):
        assert found == (None if share is None else pytest.approx(share, rel=1e-8))
    assert read.acquired_from == "the DICOM header"
    cropped = read.cropped((1, 1, 0), (9, 9, 2))
    assert (cropped.acquired_shares, cropped.acquired_from) == (read.acquired_shares, "the DICOM header")


@pytest.mark.parametrize("words", ["0.5 1", "0.5 2 1", "0 1 1", "half 1 1", "nan 1 1", "? ? ?", ""])
def test_a_matrix_that_a_file_states_in_no_known_way_is_passed_over(tmp_path, phantom, words):
    image = image_from_volume(phantom)
    image.SetMetaData(ACQUIRED_SHARES, words)
    image.SetMetaData(ACQUIRED_FROM, "somebody")
    sitk.WriteImage(image, str(tmp_path / "v.nrrd"))
    read = read_volume(tmp_path / "v.nrrd")
    assert (read.acquired_shares, read.acquired_from) == ((None, None, None), None)


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

    monkeypatch.setattr("SuperResolutionLib.files.writing.sitk.WriteImage", write_half)
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

    monkeypatch.setattr("SuperResolutionLib.files.writing.os.replace", replace)
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
