"""The button Check installation, on its real .ui and with the real doctor."""

import json
import sys

import pytest

pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
from pythonqt_stand_ins import load_panel  # noqa: E402
from subprocess_worker import SubprocessWorker, alive  # noqa: E402
from SuperResolutionWidgets.Installation.Check import InstallationCheck  # noqa: E402
from SuperResolutionWidgets.Installation.InstallError import InstallError  # noqa: E402

GOOD = {"subject": "torch", "healthy": True, "text": "2.8.0"}
BAD = {"subject": "monai", "healthy": False, "text": "cannot be imported"}


def says(findings, prelude=""):
    code = f"import sys; print({prelude!r}); print({json.dumps(findings)!r}); print('loading', file=sys.stderr)"
    return sys.executable, "-c", code


class Desk:
    """The button, its label, and an installer that remembers what it was to repair."""

    def __init__(self):
        self.top, self.ui = load_panel()
        self.ui.cancelButton.enabled = False
        self.commands, self.workers, self.repairs = [], [], []
        self.repaired = True
        self.check = InstallationCheck(self.ui, self.new_worker, self)

    def new_worker(self):
        worker = SubprocessWorker(self.commands.pop(0)) if self.commands else SubprocessWorker()
        self.workers.append(worker)
        return worker

    def repair(self, faulty, tell):
        self.repairs.append(faulty)
        if isinstance(self.repaired, Exception):
            raise self.repaired
        return self.repaired

    def click(self):
        # A child of the collapsed section; a click reaches an enabled button only.
        self.ui.checkInstallationButton.widget.click()

    def finish(self):
        started = len(self.workers)
        self.workers[-1].pump(lambda: self.ui.checkInstallationButton.enabled or len(self.workers) > started)
        return self.text

    @property
    def text(self):
        return self.ui.installationText.plainText


@pytest.fixture
def desk():
    return Desk()


def test_the_real_doctor_finds_this_installation_in_order(desk):
    desk.click()
    assert desk.text.startswith("Checking")
    assert not desk.ui.checkInstallationButton.enabled
    lines = desk.finish().splitlines()
    assert lines[0] == "The installation is in order."
    assert any(line.startswith("✓ torch: ") for line in lines)
    assert any(line.startswith("✓ model mri-x4-compact: ") for line in lines)
    assert desk.workers[-1].arguments == ["doctor", "--json"]
    assert desk.repairs == []


def test_nothing_is_shown_and_nothing_runs_until_the_button_is_clicked(desk):
    assert desk.workers == [] and desk.text == ""
    assert desk.ui.installationWidget.widget.isHidden()


def test_what_is_at_fault_is_repaired_and_looked_at_again(desk):
    desk.commands = [says([GOOD, BAD], prelude="a library that prints"), says([GOOD])]
    desk.click()
    desk.finish()
    assert desk.repairs == [["monai"]]
    assert desk.finish() == "The installation is in order.\n✓ torch: 2.8.0"


def test_what_is_still_at_fault_after_the_repair_is_told_and_not_repaired_in_circles(desk):
    desk.commands = [says([BAD]), says([BAD])]
    desk.click()
    desk.finish()
    assert desk.finish() == "Faults: 1.\n✗ monai: cannot be imported"
    assert len(desk.repairs) == 1


def test_a_repair_that_fails_or_is_declined_is_told_in_its_own_words(desk):
    desk.commands, desk.repaired = [says([GOOD, BAD])], InstallError("Upscaling needs monai.")
    desk.click()
    assert desk.finish() == "Faults: 1.\nUpscaling needs monai.\n✓ torch: 2.8.0\n✗ monai: cannot be imported"
    assert len(desk.workers) == 1


def test_what_pip_cannot_repair_is_told_at_once(desk):
    desk.commands, desk.repaired = [says([BAD])], False
    desk.click()
    assert desk.finish() == "Faults: 1.\n✗ monai: cannot be imported"
    assert len(desk.workers) == 1


def test_a_fault_of_our_own_in_the_repair_frees_the_button_and_keeps_its_traceback(desk):
    desk.commands, desk.repaired = [says([BAD])], KeyError("ours")
    desk.click()
    with pytest.raises(KeyError, match="ours"):
        desk.finish()
    assert "because of a fault" in desk.text
    assert desk.ui.checkInstallationButton.enabled


def test_packages_are_not_repaired_under_a_running_upscale(desk):
    desk.ui.cancelButton.enabled = True
    desk.commands = [says([BAD])]
    desk.click()
    assert "after the run" in desk.finish()
    assert desk.repairs == []


@pytest.mark.parametrize("code", ["import os, sys; print('Bus error', file=sys.stderr, flush=True); os.abort()", ""])
def test_a_doctor_that_ends_without_an_answer_is_told_with_its_last_lines(desk, code):
    desk.commands = [(sys.executable, "-c", code)]
    desk.click()
    text = desk.finish()
    assert "ended unexpectedly" in text
    assert ("Bus error" in text) == bool(code)
    assert desk.repairs == []


def test_what_the_check_found_can_be_taken_away(desk):
    desk.ui.advancedCollapsibleButton.collapsed = False
    desk.commands = [says([BAD]), says([BAD])]
    desk.click()
    desk.ui.dismissInstallationButton.widget.click()
    assert desk.text.startswith("Checking")
    desk.finish()
    desk.finish()
    assert not desk.ui.installationWidget.widget.isHidden()
    desk.ui.dismissInstallationButton.widget.click()
    assert desk.text == "" and desk.ui.installationWidget.widget.isHidden()


def test_leaving_the_panel_ends_the_check(desk):
    desk.commands = [(sys.executable, "-c", "import time; time.sleep(60)")]
    desk.click()
    desk.check.stop()
    assert not alive(desk.workers[-1].process.pid)
    assert desk.text == ""
    assert desk.ui.checkInstallationButton.enabled
    desk.check.stop()
