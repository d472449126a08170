"""``superresolution export-dicom``, from a series to the derived series of its result."""

import json
import re

import numpy as np
import pydicom
import pytest

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.upscaling.report import model_digests, model_names

DONE, BAD_INPUT = 0, 2


def test_a_series_is_upscaled_and_its_result_exported(run_here, series, tmp_path):
    result, report = tmp_path / "x2.nrrd", tmp_path / "x2.nrrd.json"
    options = ("--factor", 2, "--quality", "fast", "--progress", "none", "--report", report)
    assert run_here("upscale", series, result, *options)[0] == DONE
    code, out, err = run_here("export-dicom", series, result, tmp_path / "derived")
    assert (code, err) == (DONE, "")
    uid = re.fullmatch(r".*derived: 3 images, series ([\d.]+)\n", out).group(1)
    image = pydicom.dcmread(tmp_path / "derived" / "0001.dcm")
    report = json.loads(report.read_text(encoding="utf-8"))
    assert image.SeriesInstanceUID == uid
    assert model_names(report) in image.DerivationDescription and model_digests(report) in image.DerivationDescription
    back, fine = read_volume(tmp_path / "derived"), read_volume(result)
    np.testing.assert_array_equal(back.voxels, fine.voxels)
    np.testing.assert_allclose(back.ijk_to_ras, fine.ijk_to_ras, atol=1e-4)
    # The derived series can be upscaled in turn: it is a series like another.
    assert run_here("upscale", tmp_path / "derived", tmp_path / "x4.nrrd", *options[:-2])[0] == DONE


@pytest.mark.parametrize(
    "words, reason",
    [
        (("{series}", "{series}", "{series}"), "is there already"),
        (("{series}", "{folder}/absent.nrrd", "{folder}/out"), "no file"),
        (("{folder}/absent", "{series}", "{folder}/out"), "no folder"),
        (("{series}", "{series}", "{folder}/none/out"), "Cannot write"),
        (("{series}", "{series}", "{folder}/out", "--report", "{folder}/absent.json"), "not a report"),
        (("{series}", "{series}", "{folder}/out", "--report", "{series}/0.dcm"), "not a report"),
        (("{series}",), "RESULT"),
    ],
    ids=str,
)
def test_what_cannot_be_exported_ends_with_2_and_one_line(run_here, series, tmp_path, words, reason):
    words = [word.format(series=series, folder=tmp_path) for word in words]
    code, out, err = run_here("export-dicom", *words)
    assert (code, out) == (BAD_INPUT, "")
    assert re.fullmatch(r"superresolution: [^\n]+\n", err) and reason in err
    assert [path.name for path in tmp_path.iterdir()] == ["series"] and len(list(series.iterdir())) == 3
