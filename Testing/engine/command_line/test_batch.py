"""``superresolution batch``: exit codes, progress, several workers, Ctrl+C."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume

DONE, SOME_FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 3
FAST = ("--factor", 2, "--quality", "fast", "--device", "cpu")


@pytest.fixture
def folder(tmp_path):
    """Three volumes of 2 x 24 x 20 voxels in two folders."""
    for number, name in enumerate(("a/one.nrrd", "a/two.nii.gz", "b/three.mha")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        voxels = np.random.default_rng(number).integers(0, 900, (2, 24, 20)).astype(np.int16)
        write_volume(Volume(voxels, np.diag([1, 1, 2, 1.0])), path)
    return tmp_path / "in"


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


RESULTS = [f"{name}{end}" for name in ("a/one.nrrd", "a/two.nii.gz", "b/three.mha") for end in ("", ".json")]


def test_labels_nearest_carries_masks_and_upscales_scans(run_here, folder, tmp_path):
    mask = np.zeros((2, 24, 20), np.uint8)
    mask[:, 5:12, 4:16] = 1
    write_volume(Volume(mask, np.diag([1, 1, 2, 1.0])), folder / "a" / "one_mask.nii.gz")
    code, out, err = run_here("batch", folder, tmp_path / "out", *FAST)
    assert code == SOME_FAILED and "one_mask.nii.gz: The volume is a mask or a label map" in err
    code, out, err = run_here("batch", folder, tmp_path / "out", *FAST, "--labels", "nearest")
    assert code == DONE, err
    np.testing.assert_array_equal(
        read_volume(tmp_path / "out" / "a" / "one_mask.nii.gz").voxels, mask.repeat(2, 1).repeat(2, 2)
    )
    code, out, err = run_here("upscale", folder / "a" / "two.nii.gz", tmp_path / "o.nrrd", *FAST, "--labels", "nearest")
    assert code == DONE, err
    assert set(np.unique(read_volume(tmp_path / "o.nrrd").voxels)) <= set(
        np.unique(read_volume(folder / "a" / "two.nii.gz").voxels)
    )


def test_a_folder_is_upscaled_with_a_table_at_the_end_and_then_resumed(run_here, folder, tmp_path):
    code, out, err = run_here("batch", folder, tmp_path / "out", *FAST)
    assert code == DONE, err
    assert files_in(tmp_path / "out") == sorted([*RESULTS, "summary.csv"])
    assert read_volume(tmp_path / "out" / "b" / "three.mha").dimensions == (40, 48, 2)
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["state", "input"],
        ["done", "a/one.nrrd"],
        ["done", "a/two.nii.gz"],
        ["done", "b/three.mha"],
        ["3", "volumes:"],
    ]
    (tmp_path / "out" / "a" / "two.nii.gz").unlink()
    code, out, err = run_here("batch", folder, tmp_path / "out", *FAST, "--resume")
    assert code == DONE and out.splitlines()[-1] == "3 volumes: 1 done, 2 skipped"


def test_json_progress_and_exit_code_1_when_one_failed(run_here, folder, tmp_path):
    (folder / "b" / "broken.nii.gz").write_bytes(b"no image")
    code, out, err = run_here("batch", folder, tmp_path / "out", *FAST, "--progress", "json")
    assert code == SOME_FAILED
    assert re.fullmatch(r"superresolution: b/broken.nii.gz: [^\n]+not an image[^\n]+\n", err)
    events = [json.loads(line) for line in out.splitlines()]
    ends = {event["name"]: event for event in events if event["event"] == "file"}
    assert [ends[name]["state"] for name in sorted(ends)] == ["done", "done", "failed", "done"]
    assert ends["a/one.nrrd"]["report"]["output"]["factors_ijk"] == [2, 2, 1]
    steps = [event for event in events if event["event"] == "progress"]
    assert {"done": 2, "total": 2, "message": "1 of 4: a/one.nrrd", "event": "progress"} in steps
    assert events[-1] == {"event": "summary", "output": str(tmp_path / "out"), "done": 3, "failed": 1}


@pytest.mark.parametrize(
    "words, reason",
    [
        (("{in}/absent", "{out}"), "no folder"),
        (("{in}", "{in}"), "holds the inputs"),
        (("{in}", "{in}/a/one.nrrd/out"), "Cannot make"),
        (("{in}", "{out}", "--workers", "0"), "workers"),
        (("{in}", "{out}", "--workers", "two"), "--workers"),
        (("{in}", "{out}", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "not allowed with"),
        (("{in}", "{out}", "--model", "no-such-model"), "no model"),
        (("{in}",), "OUT_DIR"),
    ],
    ids=str,
)
def test_bad_usage_ends_with_2_and_one_line(run_here, folder, tmp_path, words, reason):
    before = files_in(tmp_path)
    words = [word.format(**{"in": folder, "out": tmp_path / "out"}) for word in words]
    code, out, err = run_here("batch", *words, "--progress", "none")
    assert (code, out) == (BAD_INPUT, "")
    assert re.fullmatch(r"superresolution: [^\n]+\n", err) and reason in err
    assert files_in(tmp_path) == before


# ---------------------------------------------------------------- several workers


def test_two_workers_do_what_one_does(run, run_here, folder, tmp_path):
    pytest.importorskip("distributed", reason="several workers need dask")
    (folder / "b" / "broken.nii.gz").write_bytes(b"no image")
    code, out, err = run("batch", folder, tmp_path / "two", *FAST, "--workers", 2, "--progress", "json")
    assert code == SOME_FAILED, err
    assert re.fullmatch(r"superresolution: b/broken.nii.gz: [^\n]+not an image[^\n]+\n", err)
    events = [json.loads(line) for line in out.splitlines()]
    assert events[-1] == {"event": "summary", "output": str(tmp_path / "two"), "done": 3, "failed": 1}
    assert [event["done"] for event in events if event["event"] == "progress"] == [0, 1, 2, 3, 4]
    assert run_here("batch", folder, tmp_path / "one", *FAST, "--progress", "none")[0] == SOME_FAILED
    assert files_in(tmp_path / "two") == files_in(tmp_path / "one") == sorted([*RESULTS, "summary.csv"])
    for name in RESULTS[::2]:
        one, two = (read_volume(tmp_path / count / name).voxels.astype(int) for count in ("one", "two"))
        assert np.abs(one - two).max() <= 9  # of 900: each process measures whether bfloat16 is faster there


def test_a_running_scheduler_is_used(run, repository, folder, tmp_path):
    distributed = pytest.importorskip("distributed", reason="a scheduler comes with dask")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    ) as cluster:
        words = ("batch", folder, tmp_path / "out", *FAST, "--progress", "none")
        code, out, err = run(*words, "--scheduler", cluster.scheduler_address)
    assert (code, out, err) == (DONE, "", "")
    assert files_in(tmp_path / "out") == sorted([*RESULTS, "summary.csv"])


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_no_scheduler_at_the_address_is_one_sentence(repository, folder, tmp_path, address):
    pytest.importorskip("distributed", reason="a scheduler comes with dask")
    words = ("batch", folder, tmp_path / "out", "--progress", "none", "--scheduler", address)
    environment = {**os.environ, "PYTHONPATH": str(repository), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    command = [sys.executable, "-m", "SuperResolutionLib", *map(str, words)]
    end = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (end.returncode, end.stdout) == (BAD_INPUT, ""), end.stderr
    assert re.fullmatch(r"superresolution: There is no dask scheduler at [^\n]+\n", end.stderr), end.stderr


def test_a_worker_takes_its_share_of_the_processor(folder, tmp_path):
    distributed = pytest.importorskip("distributed", reason="several workers need dask")
    from SuperResolutionLib.cohort.finding import find_volumes
    from SuperResolutionLib.cohort.task import CohortTask
    from SuperResolutionLib.cohort.workers import _run_on_worker
    from SuperResolutionLib.upscaling.request import UpscaleRequest

    request = UpscaleRequest(factor=2, quality="fast", device="cpu")
    volume = find_volumes(folder, tmp_path / "out")[0]
    task = CohortTask(resume=False, compressed=True, volume=volume, request=request, added=False)
    options = {"processes": False, "dashboard_address": None, "host": "127.0.0.1", "protocol": "tcp"}
    with distributed.LocalCluster(n_workers=0, **options) as cluster, distributed.Client(cluster):
        outcome = _run_on_worker(task, "stop", 3)
    assert (outcome.state, outcome.report["device_label"]) == ("done", "CPU (3 threads)")


# ---------------------------------------------------------------- cancelling


def test_a_scheduler_without_workers_can_be_cancelled(folder, tmp_path):
    distributed = pytest.importorskip("distributed", reason="a scheduler comes with dask")
    from SuperResolutionLib.cohort.folder import upscale_folder

    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    ) as cluster:
        outcomes = upscale_folder(folder, tmp_path / "out", scheduler=cluster.scheduler_address, cancelled=lambda: True)
    assert [outcome.state for outcome in outcomes] == ["cancelled"] * 3


def test_a_worker_that_dies_fails_its_volume_only(folder, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="several workers need dask")
    import SuperResolutionLib.cohort.workers as cohort_workers
    from SuperResolutionLib.cohort.folder import upscale_folder

    def die_on_two(task, stop, threads):
        if task.volume.name == "a/two.nii.gz":
            raise MemoryError
        return task.left()

    monkeypatch.setattr(cohort_workers, "_run_on_worker", die_on_two)
    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    ) as cluster:
        outcomes = upscale_folder(folder, tmp_path / "out", scheduler=cluster.scheduler_address)
    assert [outcome.state for outcome in outcomes] == ["cancelled", "failed", "cancelled"]
    assert outcomes[1].message == "The worker died (MemoryError); use fewer workers or free memory."


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no polite kill")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_with_3_and_keeps_only_whole_results(repository, tmp_path, workers):
    if workers > 1:
        pytest.importorskip("distributed", reason="several workers need dask")
    (tmp_path / "in").mkdir()
    voxels = np.random.default_rng(0).integers(0, 900, (60, 90, 90)).astype(np.int16)
    for name in ("b", "c", "d"):
        write_volume(Volume(voxels, np.diag([1, 1, 2, 1.0])), tmp_path / "in" / f"{name}.nrrd")
    write_volume(Volume(voxels[:1, :20, :20], np.diag([1, 1, 2, 1.0])), tmp_path / "in" / "a.nrrd")
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    words = ("batch", tmp_path / "in", tmp_path / "out", "--quality", "best", "--progress", "json")
    process = subprocess.Popen(
        [sys.executable, "-m", "SuperResolutionLib", *map(str, words), "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment,
        start_new_session=True,  # a terminal sends Ctrl+C to the workers too
    )
    try:
        line = ""
        while '"event": "file"' not in line:
            line = process.stdout.readline()
            assert line, process.stderr.read()
        os.killpg(process.pid, signal.SIGINT)
        interrupted = time.monotonic()
        out, err = process.communicate(timeout=60)
        seconds = time.monotonic() - interrupted
    finally:
        process.kill()
    assert process.returncode == CANCELLED, err
    assert json.loads(line)["name"] == "a.nrrd"
    assert err == "superresolution: Cancelled; 3 of 4 volumes are left, which --resume goes on with.\n"
    assert files_in(tmp_path / "out") == ["a.nrrd", "a.nrrd.json", "summary.csv"]
    assert seconds < 30
