"""Which scans are fused: those that are named, and the series of a study that are scans of one contrast."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.fusion.files_to_file import fuse_files
from SuperResolutionLib.fusion.request import FuseRequest
from SuperResolutionLib.fusion.sources import (
    Source,
    check_one_patient,
    groups_of_one_contrast,
    series_of_study,
    sources_in_study,
    sources_of,
)
from SuperResolutionLib.geometry.volume import Volume

T2 = {"EchoTime": 101, "RepetitionTime": 5000}
PLANES = {3: "t2_tse_sag", 4: "t2_tse_tra", 5: "t2_tse_cor"}


@pytest.fixture
def study(tmp_path, write_stack):
    """The function that adds a series of six slices to a study: its number, its description, what its header says."""
    volume = Volume(np.arange(6 * 8 * 9, dtype=np.int16).reshape(6, 8, 9), np.diag([1, 1, 4, 1.0]), "MR", 4.0, 2)

    def add(number, description, folder=".", slices=6, **attributes):
        stack = volume.cropped((0, 0, 0), (9, 8, slices))
        given = {"SeriesDescription": description, **attributes}
        return write_stack(tmp_path / "study" / folder, stack, number, **given)

    return add


@pytest.fixture
def three_planes(study):
    """Three series of one contrast, each in a folder of its own."""
    return [study(number, name, f"exam/{number}", **T2) for number, name in PLANES.items()]


def refused(folder, chosen=()):
    with pytest.raises(InputError) as error:
        sources_in_study(folder, list(chosen))
    words = str(error.value)
    assert "\n" not in words and words.endswith(".")
    return words.removeprefix(f"The folder {folder} ")


def test_a_study_of_one_contrast_is_taken_as_it_is(three_planes, tmp_path):
    sources = sources_in_study(tmp_path / "study", [])
    assert [source.series for source in sources] == three_planes
    assert [source.path for source in sources] == [tmp_path / "study" / "exam" / str(number) for number in PLANES]


def test_beside_other_scans_the_groups_are_listed_with_the_options_that_name_them(study, three_planes, tmp_path):
    for number in (6, 7):
        study(number, "t1_tse", EchoTime=11, RepetitionTime=600)
    study(8, "t1_gd", EchoTime=11, RepetitionTime=600, ContrastBolusAgent="Gd")
    assert refused(tmp_path / "study") == (
        "holds these scans of one contrast; name those to fuse, the reference first:"
        " --series 3 --series 4 --series 5 (t2_tse_sag, t2_tse_tra, t2_tse_cor); or --series 6 --series 7"
        " (t1_tse, t1_tse)."
    )


def test_a_lone_group_beside_another_scan_is_not_taken_for_what_was_meant(study, three_planes, tmp_path):
    study(6, "t1_tse", EchoTime=11, RepetitionTime=600)
    assert "--series 3 --series 4 --series 5 (" in refused(tmp_path / "study")


@pytest.mark.parametrize(
    "other",
    [
        {"EchoTime": 20},
        {"RepetitionTime": 500},
        {"InversionTime": 2500},
        {"ScanningSequence": "GR"},
        {"ScanOptions": ["PFP", "FS"]},
        {"ContrastBolusAgent": "Gd"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "P"]},
        {"ImageType": ["DERIVED", "SECONDARY", "M"]},
        {"slices": 4},
        {"ImagePositionPatient": [0, 0, 0]},
    ],
    ids=str,
)
def test_what_is_weighted_prepared_or_computed_otherwise_or_is_no_stack_is_not_of_the_group(study, tmp_path, other):
    for number in (3, 4):
        study(number, "t2_tse", **T2)
    study(5, "other", **{**T2, **other})
    (group,) = groups_of_one_contrast(series_of_study(tmp_path / "study"))
    assert [series.number for series in group] == ["3", "4"]
    named = sources_in_study(tmp_path / "study", ["3", "5"])
    assert [source.series[-1] for source in named] == ["3", "5"]


def test_the_series_that_are_named_are_taken_in_their_order_by_number_or_uid(three_planes, tmp_path):
    sources = sources_in_study(tmp_path / "study", ["4", three_planes[0]])
    assert [source.series for source in sources] == [three_planes[1], three_planes[0]]


def test_what_cannot_be_chosen_is_refused_with_what_can(study, three_planes, tmp_path):
    folder = tmp_path / "study"
    assert refused(folder, ["3", "9"]) == ("holds no series 9; choose among: 3 t2_tse_sag, 4 t2_tse_tra, 5 t2_tse_cor.")
    study(3, "t2_again", "again", SeriesInstanceUID="1.2.3.33", **T2)
    words = refused(folder, ["3", "4"])
    assert words.startswith("holds 2 series 3; name one by its UID: ") and "1.2.3.33" in words
    (tmp_path / "empty").mkdir()
    assert "holds no DICOM series" in refused(tmp_path / "empty")
    with pytest.raises(InputError, match="chosen of one study folder"):
        sources_of([folder, folder], ["3"])


def test_a_study_without_two_scans_of_a_contrast_lists_what_it_holds(study, tmp_path):
    study(1, "scout", slices=3)
    study(2, "t2", **T2)
    assert refused(tmp_path / "study") == (
        "holds no two scans of one contrast; name the series to fuse, the reference first, by --series: 1 scout, 2 t2."
    )


def test_scans_of_two_patients_are_refused_whatever_the_capitals_of_a_name(study, tmp_path):
    folder = tmp_path / "study"
    sources = [Source(folder / str(number), study(number, "t2", str(number), **T2)) for number in (3, 4)]
    check_one_patient(sources)
    path = folder / "4" / "4-001.dcm"
    data = pydicom.dcmread(path)
    data.PatientName = str(data.PatientName).lower()
    data.save_as(path)
    check_one_patient(sources)
    data.PatientID = "another"
    data.save_as(path)
    with pytest.raises(InputError, match=r"differ in PatientID; fuse scans of one patient alone\.$"):
        check_one_patient(sources)


def test_a_study_is_fused_as_the_same_scans_in_files_are(three_stacks, write_stack, tmp_path):
    sources = []
    for number, stack in enumerate(three_stacks, 3):
        write_stack(tmp_path / "study" / str(number), stack, number, **T2)
        write_volume(stack, tmp_path / f"{number}.nrrd")
        sources.append(Source(tmp_path / f"{number}.nrrd"))
    request = FuseRequest(motion="none", sharpen=False)
    report = fuse_files(sources_in_study(tmp_path / "study", []), tmp_path / "study.nrrd", request)
    fuse_files(sources, tmp_path / "files.nrrd", request)
    one, other = (read_volume(tmp_path / name) for name in ("study.nrrd", "files.nrrd"))
    np.testing.assert_allclose(one.voxels, other.voxels, atol=1)
    np.testing.assert_allclose(one.ijk_to_ras, other.ijk_to_ras, atol=1e-6)
    assert [str(Path("study") / str(number)) in report["files"]["input"] for number in (3, 4, 5)] == [True] * 3
