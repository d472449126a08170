"""The report of the hallucination test counts, for each method, the patches in which it is wrong."""

import json

import numpy as np
import pytest

from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from Training.reports.hallucinations import main, table_of


@pytest.fixture
def scan(tmp_path):
    """Three slices of a textured disc in air."""
    distance = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    texture = np.fft.ifft2(np.fft.fft2(np.random.default_rng(0).normal(size=(3, 128, 128))) / (distance + 0.02)).real
    j, i = np.indices((128, 128))
    voxels = ((j - 64) ** 2 + (i - 64) ** 2 < 60**2) * (500 + 15 * texture)
    write_volume(Volume(voxels.clip(0).astype(np.int16), np.diag([1, 1, 4, 1.0])), tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


def test_every_method_is_tested_on_the_same_patches_with_and_without_noise(scan, tmp_path, monkeypatch):
    arguments = [scan, "--model", "mri-x4-compact", "--degradations", "kspace", "kspace-noise5", "--slices", "1"]
    monkeypatch.setattr("sys.argv", ["hallucinations", *map(str, arguments), "--out", str(tmp_path / "out")])
    main()
    records = json.loads((tmp_path / "out" / "records.json").read_text())
    methods = ["B-spline", "fidelity", "perceptual"]
    assert [record["method"] for record in records] == 2 * methods
    assert {record["patches"] for record in records} == {9}
    clean, noisy = records[:3], records[3:]
    assert all(record["below"]["1.0"] <= record["below"]["1.27"] <= 9 for record in records)
    assert all(after["median_cutoff"] < before["median_cutoff"] for before, after in zip(clean, noisy))
    assert {record["below_bspline"] for record in records if record["method"] == "B-spline"} == {0}
    text = (tmp_path / "out" / "table.md").read_text()
    assert text == table_of(records) and text.count("\n") == 8


def test_shares_are_of_all_patches_and_the_worst_scan_is_named():
    common = {"degradation": "kspace", "method": "fidelity", "below_bspline": 1}
    table = table_of(
        [
            {**common, "scan": "a.nii.gz", "patches": 90, "below": {"1.0": 0, "1.27": 9}, "median_cutoff": 1.4},
            {**common, "scan": "b.nii.gz", "patches": 10, "below": {"1.0": 1, "1.27": 0}, "median_cutoff": 1.6},
            {**common, "scan": "small.nii.gz", "patches": 0, "below": {"1.0": 0, "1.27": 0}, "median_cutoff": None},
        ]
    )
    row = table.splitlines()[-1]
    assert row == "| kspace | fidelity | 100 | 1.0 % | 10 % (b) | 9.0 % | 10 % (a) | 2.0 % | 1.50 x |"
