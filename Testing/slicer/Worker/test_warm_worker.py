"""The warm worker: it stays for the next job, a crash costs one answer, and nothing of it is left."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from subprocess_worker import SubprocessWorker, alive, pump
from SuperResolutionWidgets.Scene.Companion import Companion
from SuperResolutionWidgets.Worker.NewestJob import NewestJob
from SuperResolutionWidgets.Worker.WarmWorker import WarmWorker

from SuperResolutionLib.geometry.volume import Volume

FAST = ["--factor", "2", "--device", "cpu", "--quality", "fast"]


@pytest.fixture
def volume():
    k, j, i = np.mgrid[0:3, 0:24, 0:20]
    matrix = np.diag([-0.8, -0.8, 3.0, 1.0])
    return Volume((500 * np.exp(-((i - 9.0) ** 2 + (j - 11.0) ** 2) / 30) + 20 * k).astype(np.int16), matrix)


class Bench:
    """A warm worker, the processes that it started, the first one of ``command``, and what its jobs told."""

    def __init__(self, folder, command=None):
        self.folder = folder
        self.command = command
        self.processes = []
        self.steps, self.outcomes = [], []
        self.worker = WarmWorker(self.new_process, str(folder))

    def new_process(self):
        command, self.command = self.command, None
        self.processes.append(SubprocessWorker(command) if command else SubprocessWorker())
        return self.processes[-1]

    def start(self, volume, *options, companions=()):
        job = self.worker.newJob(lambda *step: self.steps.append(step), self.outcomes.append)
        job.start(volume, options, companions)
        return job

    def serve(self, until):
        pump(self.processes, until)

    def run(self, volume, *options, companions=()):
        count = len(self.outcomes)
        self.start(volume, *options, companions=companions)
        self.serve(lambda: len(self.outcomes) > count)
        return self.outcomes[-1]

    @property
    def leftovers(self):
        return list(self.folder.iterdir())

    @property
    def files(self):
        return sorted(path.name for folder in self.leftovers for path in folder.iterdir())


@pytest.fixture
def bench(tmp_path):
    """A function that makes a ``Bench``, with the real program or another command; all of them are ended."""
    folder = tmp_path / "temporary files é 病"
    folder.mkdir()
    made = []

    def make(command=None):
        made.append(Bench(folder, command))
        return made[-1]

    yield make
    for one in made:
        one.worker.stop()


def python(code):
    """A worker of that code, which has ``say(**event)``, ``requests`` (JSON lines) and a folder of its own."""
    start = (
        "import json, sys, os, tempfile\n"
        "say = lambda **event: print(json.dumps(event), flush=True)\n"
        "say(event='ready', folder=tempfile.mkdtemp(prefix='SuperResolution-', dir=sys.argv[3]))\n"
        "requests = map(json.loads, sys.stdin)\n"
    )
    return sys.executable, "-c", start + code


def test_one_process_gives_one_answer_after_another(volume, bench):
    bench = bench()
    first = bench.run(volume, *FAST, "--box", "0,0,1,20,24,2", companions=(Companion.ADDED,))
    assert first.message == "" and first.volume.dimensions == (40, 48, 1)
    assert first.companions[Companion.ADDED].dimensions == (40, 48, 1) and "files" not in first.report
    second = bench.run(volume, *FAST, "--box", "0,0,2,20,24,3")
    assert second.volume.dimensions == (40, 48, 1) and second.companions == {}
    assert second.volume.ijk_to_ras[2, 3] == first.volume.ijk_to_ras[2, 3] + 3
    assert len(bench.processes) == 1 and bench.worker.isRunning
    assert bench.steps[-1][:2] == (1, 1)


def test_the_scan_is_handed_over_once_and_results_are_taken_away(volume, bench):
    bench = bench()
    bench.run(volume, *FAST)
    (scan,) = bench.files
    bench.run(volume, *FAST)
    assert bench.files == [scan]
    other = Volume(volume.voxels[:2].copy(), volume.ijk_to_ras)
    assert bench.run(other, *FAST).volume.dimensions == (40, 48, 2)
    (newer,) = bench.files
    assert newer != scan


def test_the_voxels_are_the_applications_to_drop(volume, bench):
    import gc
    import weakref

    bench = bench()
    scan = Volume(volume.voxels.copy(), volume.ijk_to_ras)
    bench.run(scan, *FAST)
    gone = weakref.ref(scan)
    del scan
    gc.collect()
    assert gone() is None


def test_bad_input_costs_one_answer(volume, bench):
    bench = bench()
    outcome = bench.run(volume, "--factor", "2", "--region=900,900,900,901,901,901")
    assert outcome.message == "The region does not touch the volume; move the region onto the image."
    assert (outcome.volume, outcome.log) == (None, "")
    assert bench.run(volume, *FAST).volume is not None
    assert len(bench.processes) == 1


def test_a_crash_costs_one_answer_and_the_worker_is_started_again(volume, bench, tmp_path):
    bench = bench(python("next(requests); print('last words', file=sys.stderr, flush=True); os.abort()"))
    bench.start(volume, *FAST)
    bench.start(volume, *FAST)
    bench.serve(lambda: bench.outcomes)
    assert "ended unexpectedly" in bench.outcomes[0].message
    assert bench.outcomes[0].log.splitlines()[0] == "last words"
    bench.serve(lambda: len(bench.outcomes) == 2)
    assert bench.outcomes[1].volume is not None
    assert bench.run(volume, *FAST).volume is not None
    assert len(bench.leftovers) == 1


def test_a_killed_worker_leaves_no_files(volume, bench):
    bench = bench()
    bench.run(volume, *FAST)
    process = bench.processes[0].process
    process.kill()
    bench.serve(lambda: not bench.worker.isRunning)
    assert not bench.leftovers
    assert bench.run(volume, *FAST).volume is not None


def test_stop_ends_the_process_and_removes_its_files(volume, bench):
    bench = bench()
    bench.run(volume, *FAST)
    job = bench.start(volume, *FAST)
    bench.worker.stop()
    assert not alive(bench.processes[0].process.pid)
    assert not bench.leftovers
    job.cancel()
    assert len(bench.outcomes) == 1


def test_a_worker_that_went_idle_just_now_is_started_again_without_a_word(volume, bench):
    bench = bench(python("next(requests); sys.exit(0)"))
    bench.start(volume, *FAST)
    bench.serve(lambda: bench.outcomes)
    assert bench.outcomes[0].volume is not None
    assert len(bench.processes) == 2


def test_a_cancelled_job_gets_no_answer_and_the_next_one_does(bench):
    bench = bench()
    large = Volume(np.random.default_rng(0).integers(0, 900, (40, 96, 96)).astype(np.int16), np.eye(4))
    job = bench.start(large, "--factor", "4", "--device", "cpu", "--quality", "fast")
    bench.serve(lambda: bench.steps)
    waiting = bench.start(large, *FAST)
    waiting.cancel()
    job.cancel()
    job.cancel()
    steps = list(bench.steps)
    outcome = bench.run(large, *FAST, "--box", "0,0,0,96,96,1")
    assert outcome.volume.dimensions == (192, 192, 1)
    assert bench.outcomes == [outcome] and len(bench.processes) == 1
    assert bench.steps[len(steps)] == (0, 1, "Upscaling")


def test_a_job_that_is_cancelled_while_the_worker_starts_is_never_asked(volume, bench):
    bench = bench()
    bench.start(volume, *FAST).cancel()
    outcome = bench.run(volume, *FAST)
    assert bench.outcomes == [outcome] and outcome.volume.dimensions == (40, 48, 3)


def test_a_worker_that_cannot_be_started_is_told(volume, tmp_path):
    class Missing:
        def start(self, arguments, onOutput, onErrorOutput, onFinished):
            onErrorOutput(b"PythonSlicer was not found.\n")
            onFinished(-1)

    outcomes = []
    WarmWorker(Missing, str(tmp_path)).newJob(None, outcomes.append).start(volume, FAST)
    assert outcomes[0].log == "PythonSlicer was not found."


def test_a_temporary_folder_that_cannot_be_written_is_told(volume, bench, tmp_path):
    bench = bench()
    bench.worker = WarmWorker(bench.new_process, str(tmp_path / "absent"))
    assert "temporary folder" in bench.run(volume, *FAST).log


def test_the_worker_ends_and_cleans_up_when_its_parent_dies(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "worker = subprocess.Popen([sys.executable, '-m', 'SuperResolutionLib', 'serve', '--temporary', sys.argv[1]],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(worker.pid, flush=True); print(worker.stdout.readline().decode(), flush=True); time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
    pid = int(parent.stdout.readline())
    assert json.loads(parent.stdout.readline())["event"] == "ready"
    assert alive(pid) and list(tmp_path.iterdir())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30
    while alive(pid) or list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ---------------------------------------------------------------- one in flight, only the newest waits


class Jobs(list):
    """Jobs that are answered when the test says so."""

    def new(self, onProgress, onFinished):
        self.append(Job(onFinished))
        return self[-1]


class Job:
    def __init__(self, finish):
        self.finish, self.started, self.cancelled = finish, None, False

    def start(self, volume, options, companions=()):
        self.started = (volume, options)

    def cancel(self):
        self.cancelled = True


def test_of_twenty_questions_the_first_and_the_last_are_asked():
    jobs, answers = Jobs(), []
    newest = NewestJob(jobs.new)
    for number in range(20):
        newest.ask("scan", number, lambda outcome, seconds, number=number: answers.append((number, outcome)))
    assert [job.started for job in jobs] == [("scan", 0)]
    jobs[0].finish("first")
    assert [job.started for job in jobs] == [("scan", 0), ("scan", 19)]
    jobs[1].finish("last")
    assert answers == [(0, "first"), (19, "last")]
    newest.ask("scan", 20, lambda *answer: None)
    assert len(jobs) == 3


def test_what_waits_can_be_dropped_and_what_is_in_flight_taken_back():
    jobs, answers = Jobs(), []
    newest = NewestJob(jobs.new)
    for number in range(2):
        newest.ask("scan", number, lambda *answer: answers.append(answer))
    newest.dropWaiting()
    jobs[0].finish("first")
    assert len(jobs) == 1 and answers[0][0] == "first"
    newest.ask("scan", 2, None)
    newest.drop()
    assert jobs[1].cancelled
    newest.ask("scan", 3, None)
    assert len(jobs) == 3
