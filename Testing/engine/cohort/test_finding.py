"""Which volumes are found below a folder, and where their results go."""

import os
import shutil

import pydicom
import pytest
import SimpleITK as sitk

from SuperResolutionLib.cohort.finding import find_volumes
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import image_from_volume, write_volume


def test_volumes_are_found_at_any_depth_and_keep_their_folder_and_name(cohort, tmp_path):
    out = tmp_path / "out"
    found = {volume.name: volume.output.relative_to(out.resolve()).as_posix() for volume in find_volumes(cohort, out)}
    assert found == {
        "sub-1/anat/broken.nrrd": "sub-1/anat/broken.nrrd",
        "sub-1/anat/t1.nii.gz": "sub-1/anat/t1.nii.gz",
        "sub-2/T2 à.nrrd": "sub-2/T2 à.nrrd",
        "sub-2/series 7": "sub-2/series 7.nrrd",
    }


def test_a_folder_that_is_a_series_itself_is_one_volume(cohort, tmp_path):
    (volume,) = find_volumes(cohort / "sub-2" / "series 7", tmp_path / "out")
    assert (volume.name, volume.output.name) == ("series 7", "series 7.nrrd")


def test_series_of_one_number_and_description_are_told_apart(two_series, tmp_path):
    for path in two_series.glob("4*.dcm"):
        data = pydicom.dcmread(path)
        data.SeriesNumber = 3
        data.save_as(path)
    names = [volume.name for volume in find_volumes(two_series, tmp_path / "out")]
    assert names == ["3_t1_tra_3", "3_t1_tra_4"]


def test_an_output_folder_inside_the_input_folder_is_not_searched(cohort):
    before = find_volumes(cohort, cohort / "out")
    write_volume(read_volume(cohort / "sub-2" / "T2 à.nrrd"), cohort / "figure.nrrd")
    (cohort / "out").mkdir()
    shutil.move(cohort / "figure.nrrd", cohort / "out" / "result.nrrd")
    assert find_volumes(cohort, cohort / "out") == before


def test_results_of_one_name_get_names_of_their_own(tmp_path, phantom):
    (tmp_path / "in").mkdir()
    for name in ("x.nrrd", "x.nhdr", "x.mhd", "x.mha"):
        sitk.WriteImage(image_from_volume(phantom), str(tmp_path / "in" / name))
    outputs = {volume.name: volume.output.name for volume in find_volumes(tmp_path / "in", tmp_path / "out")}
    assert outputs["x.nrrd"] == "x.nrrd" and outputs["x.mha"] == "x.mha"
    assert len(set(outputs.values())) == 4


@pytest.mark.parametrize("output", ["in", ".", "in/../in"])
def test_results_may_not_land_among_the_inputs(cohort, tmp_path, output):
    with pytest.raises(InputError, match="holds the inputs"):
        find_volumes(cohort, tmp_path / output)


def test_dicom_without_a_preamble_is_found(cohort, tmp_path):
    folder = cohort / "sub-2" / "series 7"
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    assert "sub-2/series 7" in [volume.name for volume in find_volumes(cohort, tmp_path / "out")]


def test_a_folder_of_damaged_dicom_is_found_so_that_it_is_reported(cohort, tmp_path):
    (cohort / "sub-3").mkdir()
    (cohort / "sub-3" / "0.dcm").write_bytes(b"")
    (found,) = [volume for volume in find_volumes(cohort, tmp_path / "out") if volume.name == "sub-3"]
    with pytest.raises(InputError, match="0.dcm is empty"):
        read_volume(found.source, found.series)


@pytest.mark.parametrize("name", ["x.mgz", "x.mgh", "X.MGZ", "X.NII.GZ", "x.hdr", "x.mnc", "x.nii.bz2"])
def test_each_kind_of_name_is_found_and_its_result_can_be_written(tmp_path, name):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(b"content")
    (volume,) = find_volumes(tmp_path / "in", tmp_path / "out")
    assert volume.output.name == (name if name == "X.NII.GZ" else f"{name.partition('.')[0]}.nrrd")


@pytest.fixture
def linked(tmp_path, phantom):
    """A folder with links to folders and files elsewhere, to one of its own folders and to itself."""
    for path in ("store/sub/a.nrrd", "store/b.nrrd", "in/own/c.nrrd"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        write_volume(phantom, tmp_path / path)
    for link, place in (("linked", "store/sub"), ("again", "store/sub"), ("also own", "in/own"), ("round", "in")):
        (tmp_path / "in" / link).symlink_to(tmp_path / place, target_is_directory=True)
    (tmp_path / "in" / "b.nrrd").symlink_to(tmp_path / "store" / "b.nrrd")
    (tmp_path / "in" / "gone.nrrd").symlink_to(tmp_path / "store" / "gone.nrrd")
    (tmp_path / "store" / "sub" / "back").symlink_to(tmp_path / "store" / "sub", target_is_directory=True)
    return tmp_path / "in"


def test_linked_folders_are_followed_once_each_and_the_other_ways_are_told(linked, tmp_path):
    found = find_volumes(linked, tmp_path / "out")
    assert [volume.name for volume in found if not volume.left_out] == [
        *("again/a.nrrd", "b.nrrd", "gone.nrrd", "own/c.nrrd")
    ]
    told = {volume.name: volume.left_out for volume in found if volume.left_out}
    assert sorted(told) == ["again/back", "also own", "linked", "round"]
    assert "The same folder as own, by a link" in told["also own"]


def test_a_link_to_the_folder_above_finds_what_lies_there_but_no_results(linked, tmp_path):
    (linked / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "out").mkdir()
    shutil.copy(tmp_path / "store" / "b.nrrd", tmp_path / "out" / "b.nrrd")
    names = {volume.name for volume in find_volumes(linked, tmp_path / "out") if not volume.left_out}
    assert names == {"again/a.nrrd", "b.nrrd", "gone.nrrd", "own/c.nrrd", "up/store/b.nrrd"}


def test_a_folder_of_links_to_itself_holds_no_volumes(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "round").symlink_to(tmp_path / "in", target_is_directory=True)
    with pytest.raises(InputError, match="no volumes"):
        find_volumes(tmp_path / "in", tmp_path / "out")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_a_volume_that_fails(cohort, tmp_path):
    (cohort / "sub-1").chmod(0)
    try:
        names = [volume.name for volume in find_volumes(cohort, tmp_path / "out")]
    finally:
        (cohort / "sub-1").chmod(0o755)
    assert "sub-1" in names
