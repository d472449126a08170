"""Slicer's own worker, ``QtWorkerProcess``, with real processes under a real Qt event loop."""

import json
import os
import sys
import time

import pytest

pytest.importorskip("PySide6", reason="the event loop is PySide6's")
from PySide6 import QtWidgets  # noqa: E402
from qt_stand_in import qt_module, serve  # noqa: E402
from subprocess_worker import alive  # noqa: E402


@pytest.fixture
def launcher(monkeypatch, tmp_path):
    """A function that puts a PythonSlicer on the PATH: a launcher, as Slicer's is, that starts ``command`` below it."""
    folder = tmp_path / "Slicer é 5.8"
    folder.mkdir()

    def put(command=f'"{sys.executable}" "$@"'):
        path = folder / "PythonSlicer"
        path.write_text(f"#!/bin/sh\n{command} &\nwait $!\nexit $?\n", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put


class Told:
    """What a worker told."""

    def __init__(self):
        self.output, self.errors, self.exit_codes = bytearray(), bytearray(), []

    def start(self, worker, *arguments):
        worker.start(list(arguments), self.output.extend, self.errors.extend, self.exit_codes.append)
        return self

    def wait(self):
        serve(lambda: self.exit_codes)
        return self


@pytest.fixture
def worker(monkeypatch):
    QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    monkeypatch.setitem(sys.modules, "qt", qt_module())
    monkeypatch.delitem(sys.modules, "SuperResolutionWidgets.QtWorkerProcess", raising=False)
    from SuperResolutionWidgets.QtWorkerProcess import QtWorkerProcess

    worker = QtWorkerProcess()
    yield worker
    worker.kill()
    monkeypatch.delitem(sys.modules, "SuperResolutionWidgets.QtWorkerProcess")


def test_the_real_command_line_answers_through_the_launcher(worker, launcher):
    launcher()
    told = Told().start(worker, "models", "--json").wait()
    assert told.exit_codes == [0], told.errors.decode()
    assert "mri-x4-compact" in [model["name"] for model in json.loads(told.output)]


def test_bad_input_ends_with_the_engines_exit_code_and_all_of_its_words(worker, launcher):
    launcher()
    told = Told().start(worker, "doctor", "/surely/missing/é.nrrd").wait()
    assert told.exit_codes == [2]
    assert "é.nrrd" in told.errors.decode() + told.output.decode()


def test_killing_ends_the_launcher_and_what_it_launched_within_two_seconds(worker, launcher, tmp_path):
    note = tmp_path / "pid"
    code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    launcher(f'"{sys.executable}" -c "{code}"')
    told = Told().start(worker)
    serve(lambda: note.exists() and note.read_text())
    pid = int(note.read_text())
    assert alive(pid)
    began = time.monotonic()
    worker.kill()
    assert time.monotonic() - began < 2
    serve(lambda: not alive(pid), seconds=2)
    assert told.exit_codes == []
    worker.kill()


def test_a_crash_is_told_after_all_that_was_written(worker, launcher):
    launcher(f'exec "{sys.executable}" -c "import os; os.write(2, b\'last words\'); os.abort()"')
    told = Told().start(worker).wait()
    assert told.exit_codes[0] not in (0, 2, 3)
    assert b"last words" in told.errors


def test_a_launcher_that_cannot_be_started_is_told(worker, launcher, monkeypatch, tmp_path):
    path = tmp_path / "PythonSlicer"
    path.write_text("#!/surely/missing\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = Told().start(worker, "models").wait()
    assert told.exit_codes == [-1]
    assert told.errors


def test_without_pythonslicer_one_sentence_says_so(worker, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    told = Told().start(worker, "models")
    assert told.exit_codes == [-1]
    assert b"PythonSlicer, which comes with Slicer, was not found" in told.errors


def test_the_installation_check_runs_in_this_worker(worker, launcher):
    from pythonqt_stand_ins import load_panel
    from SuperResolutionWidgets.InstallationCheck import InstallationCheck

    launcher()
    _top, ui = load_panel()
    InstallationCheck(ui, lambda: worker, installer=None)
    ui.checkInstallationButton.widget.click()
    serve(lambda: ui.checkInstallationButton.enabled)
    assert ui.installationLabel.text.startswith("The installation is in order.\n✓ SuperResolution: ")
