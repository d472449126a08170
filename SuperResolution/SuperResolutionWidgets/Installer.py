from __future__ import annotations

from pathlib import Path

from .InstallError import InstallError
from .monaiRequirement import monaiRequirement
from .PackageState import PackageState
from .PythonPackages import PythonPackages
from .versionNumbers import versionNumbers


class Installer:
    """Gets the Python packages that the engine needs, once, after asking once. Nothing is installed at start-up."""

    LEAST_TORCH = "2.1"

    def __init__(self, packages: PythonPackages, requirementsFile: Path):
        self._packages = packages
        self._requirementsFile = requirementsFile
        self._ready = False

    def ensure(self) -> None:
        """Return once all packages are there.

        Raises:
            InstallError: they are not, and could not be installed, or the user did not want it.
        """
        if self._ready:
            return
        state = self._inspect()
        self._checkTorch(state)
        if not state.torch or self._missing(state):
            self._askToInstall(state)
            state = self._install(state)
        self._ready = True

    def _askToInstall(self, state: PackageState) -> None:
        names = [*([] if state.torch else ["PyTorch"]), *self._missing(state)]
        listed = ", ".join(names)
        if not self._packages.mayInstall():
            raise InstallError(f"{listed} must be installed first, and nothing is installed while Slicer runs tests.")
        size = " This is a large download (up to 3 GB) and can take several minutes." if not state.torch else ""
        question = f"Upscaling needs these Python packages, which are not installed yet: {listed}.{size} Install now?"
        if not self._packages.confirm(question):
            raise InstallError(f"Upscaling needs {listed}; click Upscale again to install.")

    def _install(self, state: PackageState) -> PackageState:
        if not state.torch:
            self._packages.installTorch(f">={self.LEAST_TORCH}")
            state = self._inspect()
            self._checkTorch(state)
            if not state.torch:
                raise InstallError("PyTorch was not installed; see the PyTorch module, then click Upscale again.")
        missing = self._missing(state)
        if missing:
            constraints = [f"torch=={state.torch.split('+')[0]}", f"numpy=={state.numpy}"]
            self._packages.install([self._requirement(name, state) for name in missing], constraints)
            state = self._inspect()
            if self._missing(state):
                raise InstallError(
                    f"{', '.join(self._missing(state))} was not installed; see the Python console, then try again."
                )
        return state

    def _inspect(self) -> PackageState:
        return self._packages.inspect(list(self._requirements()))

    def _checkTorch(self, state: PackageState) -> None:
        # pip takes such a torch for installed, so installing again would "succeed" and change nothing.
        if state.torchFault:
            raise InstallError(
                f"PyTorch is installed but does not load ({state.torchFault}); uninstall it in the module"
                " PyTorch Utils, restart Slicer and click Upscale again."
            )

        if state.torch and versionNumbers(state.torch) < versionNumbers(self.LEAST_TORCH):
            raise InstallError(
                f"PyTorch {state.torch} is too old, {self.LEAST_TORCH} or newer is needed; uninstall it in the module"
                " PyTorch Utils, restart Slicer and click Upscale again."
            )

    def _missing(self, state: PackageState) -> list[str]:
        return [name for name in self._requirements() if not state.others.get(name)]

    def _requirement(self, name: str, state: PackageState) -> str:
        if name != "monai":
            return self._requirements()[name]
        requirement = monaiRequirement(state.torch, state.numpy, state.python)
        if requirement is None:
            raise InstallError(
                f"No MONAI fits PyTorch {state.torch} with NumPy {state.numpy}; update PyTorch in the module PyTorch"
                " Utils, or install numpy<2 where there is no newer PyTorch."
            )
        return requirement

    def _requirements(self) -> dict[str, str]:
        lines = self._requirementsFile.read_text(encoding="utf-8").splitlines()
        wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        return {line.split(">")[0].split("=")[0].strip(): line for line in wanted}
