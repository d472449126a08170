"""A run that is killed without warning leaves no half file under a name of its own, and the next run completes it.

``SUPERRESOLUTION_KILLS=10`` kills ten runs of each command, at ten moments, instead of one.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume

KILLS = range(int(os.environ.get("SUPERRESOLUTION_KILLS", "1")))
FAST = ("--factor", 2, "--quality", "fast", "--device", "cpu")
DONE = 0
LONGEST = 120
"""Seconds to wait for what a run is to be killed at."""


@pytest.fixture
def kill(start):
    """``kill(number, folder, *arguments)``: run the program and kill it, each time a little later.

    Even numbers come when something is being written below ``folder``, odd ones when the work has begun.
    """

    def run_and_kill(number, folder, *arguments):
        process = start(*arguments)
        try:
            if number % 2 and "--progress" in arguments:
                process.stdout.readline()
                time.sleep(0.1 * number)
            else:
                patience = time.monotonic() + LONGEST
                while process.poll() is None and not is_being_written(folder):
                    assert time.monotonic() < patience
                    time.sleep(0.002)
                time.sleep(0.01 * number)
        finally:
            process.kill()
            process.communicate()

    return run_and_kill


def hidden_in(folder: Path):
    return list(folder.rglob(".partial-*"))


def is_being_written(folder: Path):
    """Return whether a temporary file has content, or a temporary folder files."""
    try:
        return any(list(path.iterdir()) if path.is_dir() else path.stat().st_size for path in hidden_in(folder))
    except FileNotFoundError:  # it took its name meanwhile
        return False


def scan_of(seed, shape=(2, 160, 160)):
    voxels = np.random.default_rng(seed).integers(0, 3000, shape).astype(np.int16)
    return Volume(voxels, np.diag([1, 1, 2, 1.0]), "MR")


def check_whole(output: Path, twice: tuple):
    """Check a result, and its report, where they are there."""
    if output.exists():
        assert read_volume(output).dimensions == twice
    report = output.with_name(output.name + ".json")
    if report.exists():
        assert json.loads(report.read_text(encoding="utf-8"))["output"]["dimensions_ijk"] == list(twice)


def check_nothing_hidden(folder: Path):
    if os.name != "nt":  # where nobody can tell whether the process lives
        assert hidden_in(folder) == []


@pytest.mark.parametrize("number", KILLS)
def test_upscale_leaves_nothing_half_written_and_the_next_run_tidies_up(kill, run_here, tmp_path, number):
    write_volume(scan_of(number), tmp_path / "scan.nrrd")
    output = tmp_path / "out" / "fine.nii.gz"
    output.parent.mkdir()
    words = ("upscale", tmp_path / "scan.nrrd", output, *FAST, "--report", f"{output}.json")
    kill(number, output.parent, *words, "--progress", "json")
    check_whole(output, (320, 320, 2))
    assert {path.name for path in output.parent.iterdir()} <= {
        output.name,
        f"{output.name}.json",
        *(path.name for path in hidden_in(tmp_path)),
    }
    assert run_here(*words, "--progress", "none")[0] == DONE
    check_whole(output, (320, 320, 2))
    assert output.exists()
    check_nothing_hidden(tmp_path)


@pytest.mark.parametrize("number", KILLS)
def test_batch_goes_on_with_resume_and_redoes_what_is_not_whole(kill, run_here, tmp_path, number):
    names = ["a.nrrd", "b/c.nii.gz"]
    for seed, name in enumerate(names):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_volume(scan_of(seed, (2, 80, 80)), tmp_path / "in" / name)
    words = ("batch", tmp_path / "in", tmp_path / "out", *FAST)
    (tmp_path / "out").mkdir()
    kill(number, tmp_path / "out", *words, "--progress", "json")
    for name in names:
        check_whole(tmp_path / "out" / name, (160, 160, 2))
    code, out, err = run_here(*words, "--resume", "--progress", "none")
    assert (code, err) == (DONE, "")
    for name in names:
        check_whole(tmp_path / "out" / name, (160, 160, 2))
        assert (tmp_path / "out" / f"{name}.json").exists()
    code, out, _ = run_here(*words, "--resume")
    assert code == DONE and "2 skipped" in out
    check_nothing_hidden(tmp_path)


@pytest.mark.parametrize("number", KILLS)
def test_export_gives_the_whole_series_or_no_folder(kill, run_here, write_series, tmp_path, number):
    source = write_series(tmp_path / "series", [f"{n}.dcm" for n in range(24)])
    volume = read_volume(source)
    voxels = volume.voxels.repeat(8, 1).repeat(8, 2)
    matrix = volume.ijk_to_ras @ np.diag([1 / 8, 1 / 8, 1, 1])
    matrix[:3, 3] = volume.ijk_to_ras[:3] @ [-7 / 16, -7 / 16, 0, 1]
    write_volume(Volume(voxels, matrix, "MR"), tmp_path / "fine.nrrd", compressed=False)
    words = ("export-dicom", source, tmp_path / "fine.nrrd", tmp_path / "derived")
    kill(number, tmp_path, *words)
    if not (tmp_path / "derived").exists():
        assert run_here(*words)[0] == DONE
    images = [pydicom.dcmread(path) for path in sorted((tmp_path / "derived").iterdir())]
    assert len(images) == 24 and all(image.pixel_array.shape == (512, 512) for image in images)
    check_nothing_hidden(tmp_path)
