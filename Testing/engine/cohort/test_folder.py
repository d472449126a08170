"""A folder of volumes: that one failure stops nothing, what resuming skips, and what is refused."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from SuperResolutionLib.cohort.folder import upscale_folder
from SuperResolutionLib.cohort.summary import format_summary
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import image_from_volume, write_volume
from SuperResolutionLib.geometry.volume import refined_matrix
from SuperResolutionLib.upscaling.file_to_file import upscale_file
from SuperResolutionLib.upscaling.request import UpscaleRequest

TWICE = UpscaleRequest(factor=2, quality="fast", device="cpu")


def states(outcomes):
    return {outcome.name: outcome.state for outcome in outcomes}


def tree(folder: Path) -> dict:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_each_series_of_a_flat_folder_is_a_volume_and_a_dicom_directory_is_none(two_series, tmp_path):
    outcomes = upscale_folder(tmp_path / "in", tmp_path / "out", TWICE)
    assert states(outcomes) == {"study/3_t1_tra": "done", "study/4_t1_tra": "done"}
    sizes = [read_volume(tmp_path / "out" / "study" / f"{n}_t1_tra.nrrd").dimensions for n in (3, 4)]
    assert sizes == [(128, 128, 3), (128, 128, 2)]
    data = pydicom.dcmread(two_series / "41.dcm")
    data.PatientComments = "changed"
    data.save_as(two_series / "41.dcm")
    again = upscale_folder(tmp_path / "in", tmp_path / "out", TWICE, resume=True)
    assert states(again) == {"study/3_t1_tra": "skipped", "study/4_t1_tra": "done"}


def test_folders_without_volumes_are_refused(tmp_path):
    (tmp_path / "in").mkdir()
    for folder, reason in (("in", "no volumes"), ("absent", "no folder")):
        with pytest.raises(InputError, match=reason):
            upscale_folder(tmp_path / folder, tmp_path / "out", TWICE)
    assert not (tmp_path / "out").exists()


def test_of_a_sheared_nifti_file_the_row_says_how_it_can_be_had(tmp_path, phantom):
    (tmp_path / "in").mkdir()
    matrix = phantom.ijk_to_ras @ np.array([[1, 0, 0.2, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(phantom.voxels.T, matrix)
    nibabel.save(image, tmp_path / "in" / "tilted.nii.gz")
    (outcome,) = upscale_folder(tmp_path / "in", tmp_path / "out", TWICE)
    assert outcome.row()["message"].endswith("let upscale write it to a name that ends in .nrrd.")
    upscale_file(tmp_path / "in" / "tilted.nii.gz", tmp_path / "tilted.nrrd", TWICE)
    assert read_volume(tmp_path / "tilted.nrrd").is_sheared


# ---------------------------------------------------------------- what is done


def test_a_failure_does_not_stop_the_rest_and_everything_is_summed_up(cohort, tmp_path):
    before, out, ended = tree(cohort), tmp_path / "out", []
    outcomes = upscale_folder(cohort, out, TWICE, finished=lambda *end: ended.append(end))
    assert states(outcomes) == {
        "sub-1/anat/broken.nrrd": "failed",
        "sub-1/anat/t1.nii.gz": "done",
        "sub-2/T2 à.nrrd": "done",
        "sub-2/series 7": "done",
    }
    assert "not an image" in outcomes[0].message and not outcomes[0].trace
    assert tree(cohort) == before
    results = ["sub-1/anat/t1.nii.gz", "sub-2/T2 à.nrrd", "sub-2/series 7.nrrd"]
    assert set(tree(out)) == {"summary.csv", *results, *(f"{name}.json" for name in results)}
    for name in ("sub-1/anat/t1.nii.gz", "sub-2/T2 à.nrrd"):
        coarse, fine = read_volume(cohort / name), read_volume(out / name)
        np.testing.assert_allclose(fine.ijk_to_ras, refined_matrix(coarse.ijk_to_ras, (2, 2, 1)), atol=1e-5)
        assert json.loads((out / f"{name}.json").read_text(encoding="utf-8"))["output"]["factors_ijk"] == [2, 2, 1]
    assert [(number, total) for number, total, _ in ended] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with open(out / "summary.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["failed", "done", "done", "done"]
    assert (rows[1]["size"], rows[0]["message"]) == ("48x40x2", outcomes[0].message)
    assert format_summary(outcomes).splitlines()[-1] == "4 volumes: 3 done, 1 failed"


@pytest.fixture
def scan_and_mask(tmp_path, phantom):
    """A folder with a scan, a mask of it, a segmentation of 3D Slicer's and a link to the folder itself."""
    root = tmp_path / "in"
    root.mkdir()
    part = phantom.cropped((0, 0, 0), (30, 30, 2))
    mask = replace(part, voxels=(part.voxels > 300).astype(np.uint8), modality=None)
    write_volume(part, root / "scan.nrrd")
    write_volume(mask, root / "scan_mask.nii.gz")
    image = image_from_volume(mask)
    image.SetMetaData("Segment0_ID", "Segment_1")
    sitk.WriteImage(image, str(root / "s.seg.nrrd"))
    (root / "round").symlink_to(root, target_is_directory=True)
    return root


def test_masks_and_what_is_left_out_are_rows_with_their_reason(scan_and_mask, tmp_path):
    outcomes = upscale_folder(scan_and_mask, tmp_path / "out", TWICE)
    assert states(outcomes) == {
        **{"round": "skipped", "s.seg.nrrd": "failed", "scan.nrrd": "done", "scan_mask.nii.gz": "failed"}
    }
    with open(tmp_path / "out" / "summary.csv", encoding="utf-8", newline="") as file:
        messages = {row["input"]: row["message"] for row in csv.DictReader(file)}
    assert "the same folder" in messages["round"].lower()
    assert "label map" in messages["s.seg.nrrd"] and "label map" in messages["scan_mask.nii.gz"]
    assert set(tree(tmp_path / "out")) == {"summary.csv", "scan.nrrd", "scan.nrrd.json"}


def test_labels_are_carried_exactly_beside_their_scans_where_that_is_asked_for(scan_and_mask, tmp_path):
    outcomes = upscale_folder(scan_and_mask, tmp_path / "out", replace(TWICE, labels="found"))
    assert [outcome.state for outcome in outcomes if outcome.name != "round"] == ["done"] * 3
    scan, mask = (read_volume(tmp_path / "out" / name) for name in ("scan.nrrd", "scan_mask.nii.gz"))
    coarse = read_volume(scan_and_mask / "scan_mask.nii.gz")
    np.testing.assert_array_equal(mask.voxels, coarse.voxels.repeat(2, 1).repeat(2, 2))
    np.testing.assert_allclose(mask.ijk_to_ras, scan.ijk_to_ras, atol=1e-5)
    again = upscale_folder(scan_and_mask, tmp_path / "out", replace(TWICE, labels="found"), resume=True)
    assert {outcome.state for outcome in again} == {"skipped"}


def test_what_a_report_warns_of_is_in_the_summary(tmp_path, phantom):
    import nibabel

    (tmp_path / "in").mkdir()
    image = nibabel.Nifti1Image(phantom.voxels[:1, :20, :20].T, None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nibabel.save(image, tmp_path / "in" / "a.nii.gz")
    (outcome,) = upscale_folder(tmp_path / "in", tmp_path / "out", TWICE)
    assert outcome.state == "done" and "neither an sform nor a qform" in outcome.row()["message"]


def test_a_fault_of_ours_keeps_its_traceback_and_stops_nothing_either(cohort, tmp_path, monkeypatch):
    def fail_on_nrrd(source, *arguments, **options):
        if source.suffix == ".nrrd":
            raise ZeroDivisionError("ours")
        return original(source, *arguments, **options)

    import SuperResolutionLib.upscaling.file_to_file as file_upscaling

    original = file_upscaling.upscale_file
    monkeypatch.setattr(file_upscaling, "upscale_file", fail_on_nrrd)
    outcomes = upscale_folder(cohort, tmp_path / "out", TWICE)
    assert [outcome.state for outcome in outcomes] == ["failed", "done", "failed", "done"]
    assert outcomes[2].message == "ZeroDivisionError: ours" and "fail_on_nrrd" in outcomes[2].trace


def test_a_cancelled_run_keeps_what_is_done_and_nothing_half_written(cohort, tmp_path):
    seen = []
    outcomes = upscale_folder(
        cohort, tmp_path / "out", TWICE, progress=lambda *step: seen.append(step), cancelled=lambda: len(seen) > 4
    )
    assert list(states(outcomes).values()) == ["failed", "done", "cancelled", "cancelled"]
    assert sorted(tree(tmp_path / "out")) == ["sub-1/anat/t1.nii.gz", "sub-1/anat/t1.nii.gz.json", "summary.csv"]
    again = upscale_folder(cohort, tmp_path / "out", TWICE, resume=True)
    assert list(states(again).values()) == ["failed", "skipped", "done", "done"]


def test_what_was_added_and_the_expected_error_lie_beside_each_result(tmp_path, phantom):
    (tmp_path / "in").mkdir()
    write_volume(phantom.cropped((0, 0, 0), (20, 20, 1)), tmp_path / "in" / "a.nrrd")
    request = UpscaleRequest(factor=2, quality="fast", device="cpu", error=True)
    upscale_folder(tmp_path / "in", tmp_path / "out", request, added=True)
    error, added = (read_volume(tmp_path / "out" / f"a.nrrd.{kind}.nrrd") for kind in ("error", "added"))
    assert error.dimensions == added.dimensions == (40, 40, 1)
    assert error.voxels.max() > 0 > added.voxels.min()
    for kind in ("error", "added"):
        (tmp_path / "out" / f"a.nrrd.{kind}.nrrd").unlink()
        outcomes = upscale_folder(tmp_path / "in", tmp_path / "out", request, added=True, resume=True)
        assert [outcome.state for outcome in outcomes] == ["done"]


# ---------------------------------------------------------------- what resuming skips


@pytest.fixture
def one(tmp_path, phantom):
    """A folder with one volume, and the function that resumes it and returns the volume's state."""
    (tmp_path / "in").mkdir()
    write_volume(phantom.cropped((0, 0, 0), (20, 22, 1)), tmp_path / "in" / "a.nrrd")

    def resume(request=TWICE):
        (outcome,) = upscale_folder(tmp_path / "in", tmp_path / "out", request, resume=True)
        return outcome.state

    assert resume() == "done"
    return resume


def test_a_result_of_the_same_input_and_options_is_skipped_and_not_touched(one, tmp_path):
    before = tree(tmp_path / "out")
    shutil.copy(tmp_path / "in" / "a.nrrd", tmp_path / "copy.nrrd")
    shutil.move(tmp_path / "copy.nrrd", tmp_path / "in" / "a.nrrd")  # a new date, the same bytes
    assert one() == "skipped"
    after = tree(tmp_path / "out")
    assert {n: after[n] for n in after if n != "summary.csv"} == {n: before[n] for n in before if n != "summary.csv"}


def test_another_device_is_no_reason_to_do_it_again(one):
    assert one(UpscaleRequest(factor=2, quality="fast", device="auto")) == "skipped"


def test_other_options_are(one):
    assert one(UpscaleRequest(factor=4, quality="fast", device="cpu")) == "done"
    assert one(UpscaleRequest(factor=4, quality="fast", device="cpu")) == "skipped"
    assert one() == "done"


def test_another_input_is(one, tmp_path, phantom):
    write_volume(phantom.cropped((1, 1, 1), (21, 23, 2)), tmp_path / "in" / "a.nrrd")
    assert one() == "done"
    assert one() == "skipped"


@pytest.mark.parametrize("spoil", ["no result", "cut result", "no report", "damaged report", "old report"])
def test_a_result_that_is_not_whole_is(one, tmp_path, spoil):
    result, report = tmp_path / "out" / "a.nrrd", tmp_path / "out" / "a.nrrd.json"
    whole = tree(tmp_path / "out")
    if spoil == "no result":
        result.unlink()
    elif spoil == "cut result":
        result.write_bytes(result.read_bytes()[:-50])
    elif spoil == "no report":
        report.unlink()
    elif spoil == "damaged report":
        report.write_text(report.read_text()[:100])
    else:
        report.write_text(json.dumps({**json.loads(report.read_text()), "schema_version": 0}))
    assert one() == "done"
    assert result.read_bytes() == whole["a.nrrd"]


def test_a_model_folder_with_new_weights_is(one, tmp_path, write_bundle):
    bundle = write_bundle("mine")
    request = UpscaleRequest(factor=2, model=str(bundle), device="cpu")
    assert (one(request), one(request)) == ("done", "skipped")
    shutil.rmtree(bundle)
    assert write_bundle("mine", arguments={"width": 6, "blocks": 1}) == bundle
    assert one(request) == "done"


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "options, reason",
    [({"workers": 0}, "workers"), ({"request": UpscaleRequest(model="no-such-model")}, "no model")],
    ids=["no worker", "no model"],
)
def test_bad_wishes_are_refused_before_anything_is_written(cohort, tmp_path, options, reason):
    with pytest.raises(InputError, match=reason):
        upscale_folder(cohort, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_several_workers_without_dask_are_refused_in_one_sentence(cohort, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="pip install"):
        upscale_folder(cohort, tmp_path / "out", TWICE, workers=2)
