"""Every purpose tells its progress and its end in every way, for one volume and for a folder of them."""

import csv
import json

import numpy as np
import pytest

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume

DONE = 0
FAST = ("--quality", "fast", "--device", "cpu")
PURPOSES = {
    "slice plane": (("--factor", 2), (32, 40, 4), ["mri-x2-compact"]),
    "new slices": (("--factor", "1x1x4"), (16, 20, 16), ["mri-through-plane"]),
    "both": (("--factor", "2x2x2"), (32, 40, 8), ["mri-x2-compact", "mri-through-plane"]),
    "isotropic": (("--isotropic",), (16, 22, 12), ["mri-through-plane"]),
    "spacing": (("--spacing", 0.7), (23, 31, 4), ["mri-x2-compact"]),
    "resampling": (("--isotropic",), (16, 22, 1), []),
}


@pytest.fixture(params=PURPOSES)
def purpose(request):
    return request.param


@pytest.fixture
def scan(tmp_path, purpose):
    """The file of a scan that serves the purpose, alone in its folder."""
    k, j, i = np.indices((1 if purpose == "resampling" else 4, 20, 16))
    voxels = (500 + 400 * np.sin(i / 3 + k) * np.cos(j / 4)).astype(np.int16)
    path = tmp_path / "in" / "scan.nrrd"
    path.parent.mkdir()
    write_volume(Volume(voxels, np.diag([1, 1.1, 1 if purpose == "resampling" else 3, 1.0]), "MR"), path)
    return path


@pytest.mark.parametrize("progress", ["bar", "json", "none"])
def test_upscale_ends_well_and_says_what_was_done(run_here, scan, tmp_path, purpose, progress):
    options, dimensions, models = PURPOSES[purpose]
    code, out, err = run_here("upscale", scan, tmp_path / "fine.nrrd", *options, *FAST, "--progress", progress)
    assert code == DONE, err
    assert read_volume(tmp_path / "fine.nrrd").dimensions == dimensions
    if progress == "bar":
        assert out.startswith(f"{tmp_path / 'fine.nrrd'}: {' x '.join(map(str, dimensions))} voxels of ")
        assert [line.split(",")[0] for line in out.splitlines() if line.startswith("model ")] == [
            f"model {model}" for model in models
        ]
        assert out.count("the result agrees with") == len(models)
    elif progress == "json":
        report = json.loads(out.splitlines()[-1])["report"]
        assert [step["model"] for step in report["steps"] if "model" in step] == models
    else:
        assert (out, err) == ("", "")


@pytest.mark.parametrize("progress", ["bar", "json", "none"])
def test_batch_ends_well_has_a_row_and_resumes(run_here, scan, tmp_path, purpose, progress):
    options, dimensions, models = PURPOSES[purpose]
    arguments = ("batch", scan.parent, tmp_path / "out", *options, *FAST, "--progress", progress)
    code, out, err = run_here(*arguments)
    assert code == DONE, err
    with open(tmp_path / "out" / "summary.csv", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["state"], row["model"], row["size"]) == ("done", " and ".join(models), "x".join(map(str, dimensions)))
    assert bool(row["residual_percent"]) == bool(models)
    assert run_here(*arguments, "--resume")[0] == DONE
    with open(tmp_path / "out" / "summary.csv", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["state"] == "skipped"
