"""Which volumes are found below a folder, and where their results go."""

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
