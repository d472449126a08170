from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import slicer
import slicer.util

from .InstallError import InstallError
from .PackageState import PackageState


class SlicerPackages:
    """The ``PythonPackages`` of Slicer: PythonSlicer's environment, the PyTorch extension and Slicer's pip."""

    REQUESTER = "SuperResolution"

    def inspect(self, names):
        python = shutil.which("PythonSlicer")
        if python is None:
            raise InstallError("PythonSlicer, which comes with Slicer, was not found on the PATH.")
        probe = subprocess.Popen(
            [python, str(Path(__file__).with_name("probePackages.py")), *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONUTF8": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        # One line comes back, far below what a pipe holds, so nothing blocks while the window is kept alive.
        while probe.poll() is None:
            slicer.app.processEvents()
            time.sleep(0.02)
        lines = probe.communicate()[0].splitlines()
        if probe.returncode != 0 or not lines:
            raise InstallError(f"Slicer's Python could not be asked for its packages: {' '.join(lines[-1:])}")
        return PackageState(**json.loads(lines[-1]))

    def mayInstall(self):
        return not slicer.app.testingEnabled()

    def confirm(self, question):
        return slicer.util.confirmOkCancelDisplay(question, windowTitle=self.REQUESTER)

    def installTorch(self, requirement):
        try:
            import PyTorchUtils
        except ModuleNotFoundError:
            raise InstallError(
                "The PyTorch extension is missing; install it in the Extensions Manager and restart Slicer."
            ) from None
        try:
            PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=requirement)
        except Exception as error:
            raise InstallError(f"PyTorch could not be installed ({error}); see the Python console.") from error

    def install(self, requirements, constraints):
        with tempfile.TemporaryDirectory(prefix="SuperResolution-") as folder:
            constraintsFile = Path(folder) / "constraints.txt"
            constraintsFile.write_text("\n".join(constraints), encoding="utf-8")
            try:
                self._install(requirements, constraintsFile)
            except Exception as error:
                raise InstallError(
                    f"{', '.join(requirements)} could not be installed ({error}); see the Python console."
                ) from error

    def _install(self, requirements, constraintsFile):
        try:
            from slicer.packaging import pip_ensure
        except ImportError:  # Slicer before 5.12
            slicer.util.pip_install(["-c", str(constraintsFile), *requirements])
            return
        pip_ensure(requirements, constraints=constraintsFile, prompt_install=False, requester=self.REQUESTER)
