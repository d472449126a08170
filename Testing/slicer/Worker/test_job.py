"""The worker: what its messages mean, how it ends, and what it leaves behind (nothing)."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from subprocess_worker import SubprocessWorker, alive
from SuperResolutionWidgets.Worker.environment import workerEnvironment
from SuperResolutionWidgets.Worker.Messages import WorkerMessages
from SuperResolutionWidgets.Worker.processTree import killProcessTree
from SuperResolutionWidgets.Worker.UpscaleJob import UpscaleJob

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.report import model_names  # noqa: E402


@pytest.fixture
def volume():
    k, j, i = np.mgrid[0:2, 0:24, 0:20]
    matrix = np.diag([-0.8, -0.8, 3.0, 1.0])
    matrix[:3, 3] = 1 / 3, 2 / 7, -5.1
    return Volume((500 * np.exp(-((i - 9.0) ** 2 + (j - 11.0) ** 2) / 30) + 20 * k).astype(np.int16), matrix)


class Run:
    """A job, its worker and what it told."""

    def __init__(self, tmp_path, *command):
        self.worker = SubprocessWorker(command) if command else SubprocessWorker()
        self.steps, self.outcomes = [], []
        self.folder = tmp_path / "temporary files é 病"
        self.folder.mkdir()
        self.job = UpscaleJob(
            self.worker, lambda *step: self.steps.append(step), self.outcomes.append, str(self.folder)
        )

    def finish(self, volume, *options):
        self.job.start(volume, list(options))
        self.worker.pump(lambda: self.outcomes)
        return self.outcomes[0]

    @property
    def leftovers(self):
        return list(self.folder.iterdir())


def python(code):
    return sys.executable, "-c", code


def test_the_real_command_line_upscales_a_volume(volume, tmp_path):
    run = Run(tmp_path)
    outcome = run.finish(volume, "--factor", "2", "--device", "cpu", "--quality", "fast")
    assert outcome.message == ""
    assert outcome.volume.dimensions == (40, 48, 2)
    assert outcome.volume.voxels.dtype == np.int16
    np.testing.assert_allclose(outcome.volume.ras_bounds(), volume.ras_bounds(), atol=1e-9)
    assert run.steps[-1][0] == run.steps[-1][1] > 0
    assert model_names(outcome.report) == "mri-x2-compact" and "files" not in outcome.report
    assert not run.leftovers


def test_the_report_does_not_name_temporary_files(volume, tmp_path):
    run = Run(tmp_path)
    outcome = run.finish(volume, "--factor", "2", "--device", "cpu", "--quality", "fast")
    assert str(run.folder) not in json.dumps(outcome.report, ensure_ascii=False)


def test_bad_input_comes_back_as_the_engines_sentence(volume, tmp_path):
    run = Run(tmp_path)
    outcome = run.finish(volume, "--factor", "2", "--region=900,900,900,901,901,901")
    assert outcome.volume is None
    assert outcome.message == "The region does not touch the volume; move the region onto the image."
    assert outcome.log == ""
    assert not run.leftovers


def test_a_crash_shows_its_last_lines_and_a_sentence(volume, tmp_path):
    run = Run(
        tmp_path, *python("import sys, os; print('Überlauf\\nlast words', file=sys.stderr, flush=True); os.abort()")
    )
    outcome = run.finish(volume)
    assert outcome.volume is None
    assert "ended unexpectedly" in outcome.message
    assert outcome.log.splitlines()[:2] == ["Überlauf", "last words"]
    assert not run.leftovers


@pytest.mark.parametrize(
    ("code", "is_named"),
    [("import os; os._exit(137)", True), ("import os; os.abort()", True), ("raise KeyError('x')", False)],
)
def test_a_worker_that_something_outside_ended_may_have_run_out_of_memory(volume, tmp_path, code, is_named):
    message = Run(tmp_path, *python(code)).finish(volume).message
    assert ("run out of memory" in message and "region" in message) is is_named


def test_our_own_fault_shows_the_message_and_the_traceback(volume, tmp_path):
    code = (
        """import json; print(json.dumps({"event": "error", "kind": "fault", "message": "KeyError: 'x'"})); {}['x']"""
    )
    outcome = Run(tmp_path, *python(code)).finish(volume)
    assert outcome.message == "KeyError: 'x'"
    assert "Traceback" in outcome.log


def test_a_worker_that_says_done_but_wrote_nothing_is_a_failure(volume, tmp_path):
    run = Run(tmp_path, *python("""print('{"event": "result", "output": "x", "report": {}}')"""))
    outcome = run.finish(volume)
    assert outcome.volume is None
    assert "could not be read back" in outcome.message
    assert not run.leftovers


def test_a_program_that_does_not_exist_is_a_failure_that_cleans_up(volume, tmp_path):
    class Missing:
        def start(self, arguments, onOutput, onErrorOutput, onFinished):
            onErrorOutput(b"PythonSlicer was not found.\n")
            onFinished(-1)

    run = Run(tmp_path)
    UpscaleJob(Missing(), None, run.outcomes.append, str(run.folder)).start(volume, [])
    assert run.outcomes[0].log == "PythonSlicer was not found."
    assert not run.leftovers


def test_cancel_ends_the_worker_and_removes_its_files(volume, tmp_path):
    run = Run(
        tmp_path,
        *python(
            'import time; print(\'{"event": "progress", "done": 1, "total": 9,'
            ' "message": "Upscaling"}\', flush=True); time.sleep(60)'
        ),
    )
    run.job.start(volume, [])
    run.worker.pump(lambda: run.steps)
    assert run.leftovers
    began = time.monotonic()
    run.job.cancel()
    assert time.monotonic() - began < 5
    assert not alive(run.worker.process.pid)
    assert not run.leftovers
    assert not run.outcomes
    run.job.cancel()


def test_cancel_ends_the_real_command_line_in_the_middle(tmp_path):
    volume = Volume(np.random.default_rng(0).integers(0, 900, (40, 160, 160)).astype(np.int16), np.eye(4))
    run = Run(tmp_path)
    run.job.start(volume, ["--factor", "4", "--device", "cpu"])
    run.worker.pump(lambda: len(run.steps) > 1)
    run.job.cancel()
    assert not alive(run.worker.process.pid)
    assert not run.leftovers


def test_a_temporary_folder_that_cannot_be_written_is_the_users_to_mend(volume, tmp_path):
    job = UpscaleJob(SubprocessWorker(), None, None, str(tmp_path / "absent"))
    with pytest.raises(InputError, match="temporary folder"):
        job.start(volume, [])


def test_killing_a_launcher_kills_what_it_launched(tmp_path):
    note = tmp_path / "pid"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    launcher = subprocess.Popen(python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"))
    for _ in range(200):
        if note.exists() and note.read_text():
            break
        time.sleep(0.05)
    pid = int(note.read_text())
    assert alive(pid)
    killProcessTree(launcher.pid)
    launcher.wait(timeout=5)
    for _ in range(40):
        if not alive(pid):
            break
        time.sleep(0.05)
    assert not alive(pid)


def test_killing_what_has_ended_already_does_nothing():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    killProcessTree(ended.pid)


def test_messages_survive_being_cut_anywhere():
    steps = []
    messages = WorkerMessages(lambda *step: steps.append(step))
    lines = [
        {"event": "progress", "done": 3, "total": 40, "message": "Größer 拡大"},
        {"event": "result", "output": "/tmp/é.nrrd", "report": {"warnings": []}},
    ]
    data = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode() + b"\n"
    for index in range(len(data)):
        messages.addOutput(data[index : index + 1])
    assert steps == [(3, 40, "Größer 拡大")]
    assert messages.result["output"] == "/tmp/é.nrrd"


def test_a_library_that_prints_does_no_harm():
    messages = WorkerMessages(lambda *step: pytest.fail("no progress was sent"))
    messages.addOutput(b'Loading...\n[1, 2]\n42\n{"other": 1}\nbad \xff byte\n')
    assert messages.result is None
    assert messages.lastLines(5).splitlines()[0] == "Loading..."


def test_only_the_last_lines_of_the_log_are_kept():
    messages = WorkerMessages(None)
    for number in range(1000):
        messages.addErrorOutput(f"line {number}\n\n".encode())
    assert messages.lastLines(2) == "line 998\nline 999"
    assert len(messages.lastLines(10_000).splitlines()) <= WorkerMessages.LOG_LINES


def test_the_worker_finds_the_engine_and_speaks_utf_8(root):
    environment = workerEnvironment({"PYTHONPATH": "/elsewhere"})
    assert environment["PYTHONPATH"] == os.pathsep.join([str(root), "/elsewhere"])
    assert environment["PYTHONUTF8"] == "1"
    assert workerEnvironment({})["PYTHONPATH"] == str(root)
