"""``superresolution fuse`` on a DICOM study, and ``export-dicom`` on what it gives."""

import json
import re

import numpy as np
import pydicom
import pytest

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.volume import Volume

DONE, BAD_INPUT = 0, 2
QUICK = ("--no-registration", "--no-sharpening", "--force", "--progress", "none")
ORDERS = {3: (1, 2, 0), 4: (0, 1, 2), 5: (0, 2, 1)}
"""Series number to the patient's axes along i, j and k."""


@pytest.fixture
def study(tmp_path, write_stack):
    """A study of three planes of one contrast, 24 mm wide, and of two other scans, a folder each."""
    for number in (3, 4, 5, 8, 9):
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for axis, (world, step) in enumerate(zip(ORDERS.get(number, (0, 1, 2)), (1, 1, 4))):
            matrix[world, axis], matrix[world, 3] = step, step / 2
        places = np.stack(np.indices((6, 24, 24))[::-1], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
        ball = 1 / (1 + np.exp(np.linalg.norm(places - 12, axis=-1) - 8))
        voxels = 100 + 600 * ball * (1 + 0.3 * np.sin(places).sum(axis=-1))
        weighting = {"EchoTime": 100, "RepetitionTime": 5000} if number in ORDERS else {"EchoTime": 5}
        described = {"SeriesDescription": f"scan {number}", **weighting}
        write_stack(tmp_path / "study" / str(number), Volume(voxels.astype(np.int16), matrix), number, **described)
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
