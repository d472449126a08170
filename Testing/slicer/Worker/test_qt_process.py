"""Slicer's worker: a real QProcess and its event loop, the real command line, PythonSlicer as a launcher."""

import sys

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="QProcess comes with PySide6")
from pythonqt_stand_ins import Application, qt_module, serve  # noqa: E402
from subprocess_worker import alive  # noqa: E402
from SuperResolutionWidgets.Worker.UpscaleJob import UpscaleJob  # noqa: E402
from SuperResolutionWidgets.Worker.WarmWorker import WarmWorker  # noqa: E402

from SuperResolutionLib.geometry.volume import Volume  # noqa: E402


@pytest.fixture
def new_worker(monkeypatch):
    """A function that returns a new ``QtWorkerProcess`` on PySide6's Qt, owned by an application."""
    monkeypatch.setitem(sys.modules, "qt", qt_module())
    monkeypatch.delitem(sys.modules, "SuperResolutionWidgets.Worker.QtProcess", raising=False)
    from SuperResolutionWidgets.Worker.QtProcess import QtWorkerProcess

    application = Application()
    yield lambda: QtWorkerProcess(application)
    for process in application.children():
        process.kill()
        process.waitForFinished(5000)
    sys.modules.pop("SuperResolutionWidgets.Worker.QtProcess", None)


@pytest.fixture
def volume():
    k, j, i = np.mgrid[0:2, 0:24, 0:20]
    return Volume((500 * np.exp(-((i - 9.0) ** 2 + (j - 11.0) ** 2) / 30) + 20 * k).astype(np.int16), np.eye(4))


def start(new_worker, folder, volume, *options):
    steps, outcomes = [], []
    job = UpscaleJob(new_worker(), lambda *step: steps.append(step), outcomes.append, str(folder))
    job.start(volume, options)
    return job, steps, outcomes


def test_the_event_loop_stays_live_while_the_command_line_works(new_worker, python_slicer, volume, tmp_path):
    python_slicer()
    _, steps, outcomes = start(new_worker, tmp_path, volume, "--factor", "2", "--device", "cpu", "--quality", "fast")
    rounds = serve(lambda: outcomes)
    assert outcomes[0].volume.dimensions == (40, 48, 2), outcomes[0]
    assert steps[-1][:2] == (2, 2)
    assert rounds > 5


def test_the_warm_worker_is_asked_through_the_launcher_and_ends_with_it(new_worker, python_slicer, volume, tmp_path):
    python_slicer()
    outcomes, warm = [], WarmWorker(new_worker, str(tmp_path))
    for _ in range(2):
        job = warm.newJob(lambda *step: None, outcomes.append)
        job.start(volume, ["--factor", "2", "--device", "cpu", "--quality", "fast"])
    serve(lambda: len(outcomes) == 2)
    assert [outcome.volume.dimensions for outcome in outcomes] == [(40, 48, 2)] * 2, outcomes
    assert list(tmp_path.glob("SuperResolution-*"))
    warm.stop()
    assert not list(tmp_path.glob("SuperResolution-*"))


def test_cancel_ends_the_launcher_and_what_it_launched(new_worker, python_slicer, volume, tmp_path):
    note = tmp_path / "pid"
    python_slicer(f"""-c "import os, time; open('{note}', 'w').write(str(os.getpid())); time.sleep(60)" """)
    job, _, outcomes = start(new_worker, tmp_path, volume)
    serve(lambda: note.exists() and note.read_text())
    pid = int(note.read_text())
    assert alive(pid)
    job.cancel()
    serve(lambda: not alive(pid), seconds=5)
    assert not outcomes
    assert not list(tmp_path.glob("SuperResolution-*"))


def test_a_crash_comes_back_as_a_sentence(new_worker, python_slicer, volume, tmp_path):
    python_slicer("""-c "import sys; print('last words', file=sys.stderr); sys.exit(7)" """)
    _, _, outcomes = start(new_worker, tmp_path, volume)
    serve(lambda: outcomes)
    assert "exit code 7" in outcomes[0].message
    assert outcomes[0].log == "last words"


def test_without_python_slicer_the_outcome_says_so(new_worker, volume, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    _, _, outcomes = start(new_worker, tmp_path, volume)
    assert "PythonSlicer" in outcomes[0].log
    assert not list(tmp_path.glob("SuperResolution-*"))


def test_a_program_that_cannot_be_started_is_told_and_no_process_is_left(new_worker, volume, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "PythonSlicer"
    program.parent.mkdir()
    program.write_bytes(b"\x7fELF is not what this is")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    worker, errors, codes = new_worker(), [], []
    worker.start(["models"], None, errors.append, codes.append)
    serve(lambda: codes)
    assert codes == [-1] and errors[0].endswith(b"\n") and len(errors[0]) > 1
    serve(lambda: not worker._parent.children())
