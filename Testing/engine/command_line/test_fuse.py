"""``superresolution fuse`` on a DICOM study, ``export-dicom`` on what it gives, and ``batch --fuse`` on many."""

import csv
import json
import re

import pydicom
import pytest

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume

DONE, SOME_FAILED, BAD_INPUT = 0, 1, 2
QUICK = ("--no-registration", "--no-sharpening", "--force", "--progress", "none")


@pytest.fixture
def study(tmp_path, planes, write_stack):
    """A study of three planes of one contrast, 24 mm wide, and of two other scans, a folder each."""
    stacks = dict(zip((3, 4, 5), planes.values()))
    for number in (3, 4, 5, 8, 9):
        weighting = {"EchoTime": 100, "RepetitionTime": 5000} if number in stacks else {"EchoTime": 5}
        described = {"SeriesDescription": f"scan {number}", **weighting}
        write_stack(tmp_path / "study" / str(number), stacks.get(number, planes["tra"]), number, **described)
    return tmp_path / "study"


def test_the_groups_of_a_study_are_shown_and_those_that_are_named_are_fused_and_exported(run_here, study, tmp_path):
    fused, report = tmp_path / "fused.nrrd", tmp_path / "fused.nrrd.json"
    code, out, err = run_here("fuse", study, fused, *QUICK)
    assert (code, out) == (BAD_INPUT, "") and not fused.exists()
    assert re.fullmatch(r"superresolution: The folder [^\n]+\n", err)
    (choice,) = re.findall(r"(--series 3 --series 4 --series 5) \(scan 3, scan 4, scan 5\)", err)
    assert run_here("fuse", study, fused, *choice.split(), *QUICK, "--report", report)[0] == DONE
    assert read_volume(fused).dimensions == (24, 24, 24)

    code, out, err = run_here("export-dicom", study, fused, tmp_path / "derived", *choice.split())
    assert (code, err) == (DONE, "") and "24 images" in out
    image = pydicom.dcmread(tmp_path / "derived" / "0012.dcm")
    named = [item.SeriesInstanceUID.rpartition(".")[2] for item in image.ReferencedSeriesSequence]
    assert named == ["3", "4", "5"]
    assert json.loads(report.read_text(encoding="utf-8"))["program"] in image.DerivationDescription

    # The series of the folders, one by one, are the same choice.
    folders = [study / number for number in "345"]
    assert run_here("export-dicom", *folders, fused, tmp_path / "again")[0] == DONE
    # What was derived is not taken for a scan of the study.
    (tmp_path / "derived").rename(study / "derived")
    assert "--series 3 --series 4 --series 5 (scan 3, scan 4, scan 5)" in run_here("fuse", study, fused, *QUICK)[2]


def test_a_fused_result_is_not_derived_from_one_series_or_an_echo(run_here, study, tmp_path):
    fused = tmp_path / "fused.nrrd"
    options = ("--series", 4, "--series", 5)
    assert run_here("fuse", study, fused, *options, *QUICK, "--report", f"{fused}.json")[0] == DONE
    for words, reason in (
        (("--series", 4), "fusion of 2 other scans"),
        ((), "name those to fuse"),
        ((*options, "--echo", 1), "leave out --echo"),
    ):
        code, out, err = run_here("export-dicom", study, fused, tmp_path / "derived", *words)
        assert (code, out) == (BAD_INPUT, "") and reason in err
    assert not (tmp_path / "derived").exists()


@pytest.fixture
def studies(tmp_path, planes, study):
    """A folder with that study and one of files, and a table of both, one file of which is not there."""
    folder = tmp_path / "studies"
    (folder / "b é").mkdir(parents=True)
    study.rename(folder / "a")
    for name, stack in planes.items():
        write_volume(stack, folder / "b é" / f"{name}.nrrd")
    rows = [
        "output,scan1,scan2,scan3,note,series1,series2",
        "a.nrrd,a,,,a study folder,4,5",
        '"b é/fused.nii.gz",b é/tra.nrrd,b é/cor.nrrd,b é/sag.nrrd,files,,',
        "c.nrrd,b é/tra.nrrd,b é/absent.nrrd,,,,",
    ]
    (tmp_path / "fuse.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    return folder


def test_batch_fuses_the_studies_of_a_table_and_one_that_fails_is_a_row_with_its_reason(run_here, studies, tmp_path):
    out_folder, options = tmp_path / "out", ("--fuse", tmp_path / "fuse.csv", *QUICK)
    code, out, err = run_here("batch", studies, out_folder, *options)
    assert code == SOME_FAILED and re.fullmatch(r"superresolution: c\.nrrd: There is no file [^\n]+\n", err)
    sizes = {name: read_volume(out_folder / name).dimensions for name in ("a.nrrd", "b é/fused.nii.gz")}
    assert sizes == {"a.nrrd": (24, 24, 24), "b é/fused.nii.gz": (24, 24, 24)}
    rows = list(csv.DictReader((out_folder / "summary.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["input"], row["state"]) for row in rows] == [
        ("a.nrrd", "done"),
        ("b é/fused.nii.gz", "done"),
        ("c.nrrd", "failed"),
    ]
    assert rows[0]["size"] == "24x24x24" and rows[0]["spacing_mm"] == "1x1x1" and "absent.nrrd" in rows[2]["message"]
    report = json.loads((out_folder / "a.nrrd.json").read_text(encoding="utf-8"))
    assert len(report["steps"][0]["scans"]) == 2

    write_volume(read_volume(studies / "b é" / "tra.nrrd"), studies / "b é" / "absent.nrrd")
    before = (out_folder / "a.nrrd").stat().st_mtime_ns
    assert run_here("batch", studies, out_folder, *options, "--resume")[0] == DONE
    rows = list(csv.DictReader((out_folder / "summary.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["state"] for row in rows] == ["skipped", "skipped", "done"]
    assert (out_folder / "a.nrrd").stat().st_mtime_ns == before
    # Another request, or another scan, is another run.
    path = studies / "a" / "5" / "5-001.dcm"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    code = run_here("batch", studies, out_folder, *options, "--resume")[0]
    rows = list(csv.DictReader((out_folder / "summary.csv").read_text(encoding="utf-8").splitlines()))
    assert (code, [row["state"] for row in rows]) == (DONE, ["done", "skipped", "skipped"])


def test_json_progress_tells_of_each_study(run_here, studies, tmp_path):
    quick = (*QUICK[:-1], "json")
    _, out, _ = run_here("batch", studies, tmp_path / "out", "--fuse", tmp_path / "fuse.csv", *quick)
    events = [json.loads(line) for line in out.splitlines()]
    files = [event for event in events if event["event"] == "file"]
    assert [(event["number"], event["total"], event["state"]) for event in files] == [
        (1, 3, "done"),
        (2, 3, "done"),
        (3, 3, "failed"),
    ]
    assert {event["message"] for event in events if event["event"] == "progress"} == {
        "1 of 3: a.nrrd",
        "2 of 3: b é/fused.nii.gz",
    }
    assert events[-1]["event"] == "summary"


@pytest.mark.parametrize(
    "options, reason",
    [
        (("--factor", "2"), "--factor does not go with --fuse"),
        (("--isotropic",), "--isotropic does not go with --fuse"),
        (("--quality", "best"), "--quality does not go with --fuse"),
        (("--spacing", "1x1x2"), "give --spacing one number"),
    ],
    ids=str,
)
def test_what_means_nothing_for_fused_studies_is_refused(run_here, studies, tmp_path, options, reason):
    code, out, err = run_here("batch", studies, tmp_path / "out", "--fuse", tmp_path / "fuse.csv", *options)
    assert (code, out) == (BAD_INPUT, "") and reason in err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--force", "--no-registration", "--no-sharpening"])
def test_what_means_nothing_for_single_volumes_is_refused(run_here, studies, tmp_path, option):
    code, out, err = run_here("batch", studies, tmp_path / "out", option)
    assert (code, out) == (BAD_INPUT, "") and "with --fuse TABLE" in err
