from __future__ import annotations

import json
from typing import Callable

from .InstallError import InstallError


class InstallationCheck:
    """The button **Check installation**: the worker's doctor looks at everything, and what is at fault is repaired.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        newProcess: returns a new process that can run a command line of the engine; see ``WorkerProcess``.
        installer: has ``repair(faulty, tell)``, which asks the user and raises InstallError; see ``Installer``.
    """

    MARKS = {True: "✓", False: "✗"}

    def __init__(self, ui, newProcess, installer):
        self._ui = ui
        self._newProcess = newProcess
        self._installer = installer
        self._process = None
        ui.checkInstallationButton.connect("clicked(bool)", self.onCheck)
        ui.dismissInstallationButton.connect("clicked(bool)", self.dismiss)
        self._tell("")

    def onCheck(self, _checked=False) -> None:
        self._ui.checkInstallationButton.enabled = False
        self._start(self._offerRepair)

    def dismiss(self, _checked=False) -> None:
        """Take away what the last check found, as it may hold no more; a check that is under way goes on."""
        if self._ui.checkInstallationButton.enabled:
            self._tell("")

    def stop(self) -> None:
        """End a check that is under way: the panel is going away."""
        if self._process is not None:
            self._process.kill()
            self._end("")

    def _start(self, onFindings: Callable[[list[dict]], None]) -> None:
        self._tell("Checking the installation, which takes some seconds…")
        output, log = bytearray(), bytearray()

        def finished(exitCode: int) -> None:
            self._process = None
            try:
                findings = json.loads(bytes(output).decode("utf-8", "replace").splitlines()[-1])
            except (IndexError, ValueError):
                lines = bytes(log).decode("utf-8", "replace").strip().splitlines()[-6:]
                self._end("\n".join([f"The check ended unexpectedly (exit code {exitCode}).", *lines]))
                return
            onFindings(findings)

        self._process = self._newProcess()
        self._process.start(["doctor", "--json"], output.extend, log.extend, finished)

    def _offerRepair(self, findings: list[dict]) -> None:
        faulty = [finding["subject"] for finding in findings if not finding["healthy"]]
        if not faulty:
            self._report(findings)
            return
        # A run that is under way uses the packages.
        if self._ui.cancelButton.enabled:
            self._report(findings, "Repair it after the run: click Check installation again.")
            return
        try:
            self._tell("Repairing the installation…")
            repaired = self._installer.repair(faulty, self._tell)
        except InstallError as error:
            self._report(findings, str(error))
            return
        except Exception:
            self._report(findings, "The repair stopped because of a fault; see the Python console.")
            raise
        if repaired:
            self._start(self._report)
        else:
            self._report(findings)

    def _report(self, findings: list[dict], advice: str = "") -> None:
        faults = sum(not finding["healthy"] for finding in findings)
        verdict = f"Faults: {faults}." if faults else "The installation is in order."
        lines = [f"{self.MARKS[finding['healthy']]} {finding['subject']}: {finding['text']}" for finding in findings]
        self._end("\n".join(filter(None, [verdict, advice, *lines])))

    def _end(self, message: str) -> None:
        self._process = None
        self._ui.checkInstallationButton.enabled = True
        self._tell(message)

    def _tell(self, message: str) -> None:
        self._ui.installationText.plainText = message
        self._ui.installationWidget.visible = bool(message)
