from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import slicer
import slicer.util

from .InstallError import InstallError
from .PackageState import PackageState


class SlicerPackages:
    """The ``PythonPackages`` of Slicer: PythonSlicer's environment, the PyTorch extension and Slicer's pip."""

    REQUESTER = "Super Resolution"
    """As the user knows the module; the title of dialogs."""

    def inspect(self, names):
        exitCode, lines = self._runPython([str(Path(__file__).with_name("probePackages.py")), *names])
        if exitCode != 0 or not lines:
            raise InstallError(f"Slicer's Python could not be asked for its packages: {' '.join(lines[-1:])}")
        return PackageState(**json.loads(lines[-1]))

    def mayInstall(self):
        return not slicer.app.testingEnabled()

    def checkTorchExtension(self):
        self._torchUtils()

    def reachIndex(self):
        # pip itself is asked, as it knows the proxy, the mirror or the folder that it was told to use.
        options = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--disable-pip-version-check"]
        exitCode, _ = self._runPython(
            ["-m", "pip", "install", *options, "--retries", "1", "--timeout", "10", "safetensors"]
        )
        return exitCode == 0

    def confirm(self, question):
        return slicer.util.confirmOkCancelDisplay(question, windowTitle=self.REQUESTER)

    def installTorch(self, requirement):
        torchUtils = self._torchUtils()
        with self._pipFaults("PyTorch could not be installed"):
            torchUtils.installTorch(askConfirmation=False, torchVersionRequirement=requirement)

    def uninstallTorch(self):
        torchUtils = self._torchUtils()
        with self._pipFaults("The faulty PyTorch could not be removed"):
            torchUtils.uninstallTorch()

    def install(self, requirements, constraints):
        with self._constraintsFile(constraints) as path, self._pipFaults(self._failed(requirements)):
            try:
                from slicer.packaging import pip_ensure
            except ImportError:  # Slicer before 5.12
                slicer.util.pip_install(["-c", path, *requirements])
                return
            options = {"constraints": path, "prompt_install": False, "requester": self.REQUESTER}
            if "prompt_restart" in inspect.signature(pip_ensure).parameters:
                # The worker is another process, which finds the new packages; Slicer's own need not be restarted.
                options["prompt_restart"] = False
            pip_ensure(requirements, **options)

    def reinstall(self, requirements, constraints):
        with self._constraintsFile(constraints) as path, self._pipFaults(self._failed(requirements)):
            slicer.util.pip_install(["--force-reinstall", "--no-deps", "-c", path, *requirements])

    def _torchUtils(self):
        try:
            import PyTorchUtils
        except ModuleNotFoundError:
            raise InstallError(
                "The PyTorch extension is missing: open the Extensions Manager (menu View), install PyTorch, restart"
                " Slicer, and click Upscale again."
            ) from None
        return PyTorchUtils.PyTorchUtilsLogic()

    def _runPython(self, arguments):
        """Return the exit code and the last lines that Slicer's Python prints, with the window kept alive."""
        python = shutil.which("PythonSlicer")
        if python is None:
            raise InstallError("PythonSlicer, which comes with Slicer, was not found on the PATH.")
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [python, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUTF8": "1"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            while process.poll() is None:
                slicer.app.processEvents()
                time.sleep(0.02)
            output.seek(0)
            return process.returncode, output.read().decode("utf-8", "replace").splitlines()

    @contextmanager
    def _constraintsFile(self, constraints):
        with tempfile.TemporaryDirectory(prefix="SuperResolution-") as folder:
            path = Path(folder) / "constraints.txt"
            path.write_text("\n".join(constraints), encoding="utf-8")
            yield str(path)

    def _failed(self, requirements):
        return f"{', '.join(requirements)} could not be installed"

    @contextmanager
    def _pipFaults(self, what):
        try:
            yield
        except subprocess.CalledProcessError as error:
            # Its own words are the whole command line.
            raise InstallError(f"{what} (pip ended with {error.returncode}); see the Python console.") from error
        except Exception as error:
            raise InstallError(f"{what} ({error}); see the Python console.") from error
