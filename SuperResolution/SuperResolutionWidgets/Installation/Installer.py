from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import contextmanager
from pathlib import Path

from .DownloadSize import DownloadSize
from .InstallError import InstallError
from .monaiRequirement import monaiRequirement
from .PackageState import PackageState
from .PythonPackages import PythonPackages
from .versionNumbers import versionNumbers


def _sayNothing(sentence: str) -> None:
    """Take the place of a listener."""


def _goOn() -> bool:
    """Take the place of a user who does not cancel."""
    return False


class Installer:
    """Gets the Python packages that the engine needs, once, after asking once. Nothing is installed at start-up.

    PyTorch comes first and alone; the others must then fit it, so that their failure leaves it as it is.

    Attributes:
        onInstalled: called when packages were installed: what was said of missing ones holds no more.
    """

    LEAST_TORCH = "2.1"
    REPAIR = "click Check installation under Advanced to repair it"

    def __init__(self, packages: PythonPackages, requirementsFile: Path):
        self._packages = packages
        self._requirementsFile = requirementsFile
        self._ready = False
        self._busy = False
        self._tell: Callable[[str], None] = _sayNothing
        self._cancelled: Callable[[], bool] = _goOn
        self.onInstalled: Callable[[], None] = lambda: None

    def ensure(self, tell: Callable[[str], None] = _sayNothing, cancelled: Callable[[], bool] = _goOn) -> None:
        """Return once all packages are there.

        Args:
            tell: called with a sentence before each step.
            cancelled: polled before each step, as pip cannot be stopped within one; return True to stop.

        Raises:
            InstallError: they are not, and could not be installed, or the user did not want it.
        """
        if self._ready:
            return
        with self._alone(tell, cancelled):
            state = self._inspect()
            self._checkTorch(state)
            missing = self._missing(state)
            if missing or not state.torch:
                self._ask(state, missing)
                self._install(state, missing)
            self._ready = True

    def repair(self, faulty: Collection[str], tell: Callable[[str], None] = _sayNothing) -> bool:
        """Install what is missing, and again what does not work, after asking once.

        Args:
            faulty: names of packages that do not import; those that are not ours to install are passed over.
            tell: as for ``ensure``.

        Returns:
            Whether there was anything to install.

        Raises:
            InstallError: as ``ensure``.
        """
        with self._alone(tell, _goOn):
            self._ready = False
            state = self._inspect()
            removeTorch = bool(state.torch) and (
                bool(state.torchFault) or self._isTooOld(state.torch) or "torch" in faulty
            )
            missing = self._missing(state)
            again = [name for name in self._requirements() if name in faulty and name not in missing]
            if not (removeTorch or missing or again or not state.torch):
                return False
            self._ask(state, missing + again, removeTorch)
            torchRequirement = f">={self.LEAST_TORCH}"
            if removeTorch:
                if not self._isTooOld(state.torch):
                    # The same files would most likely break in the same way.
                    torchRequirement += f",!={state.torch.split('+')[0]}"
                self._begin("Removing PyTorch…")
                self._packages.uninstallTorch()
                state = self._inspect()
                if state.torch:
                    raise InstallError(
                        "The faulty PyTorch could not be removed, as something uses its files; restart Slicer and"
                        " click Check installation again before anything else."
                    )
            self._install(state, missing, again, torchRequirement)
            return True

    @contextmanager
    def _alone(self, tell, cancelled):
        # Slicer serves clicks while it waits for pip.
        if self._busy:
            raise InstallError("Python packages are being installed just now; wait until that is done.")
        self._busy = True
        self._tell, self._cancelled = tell, cancelled
        try:
            yield
        finally:
            self._busy = False

    def _ask(self, state: PackageState, names: list[str], removeTorch: bool = False) -> None:
        withTorch = removeTorch or not state.torch
        listed = ", ".join([*(["PyTorch"] if withTorch else []), *names])
        if not self._packages.mayInstall():
            raise InstallError(f"{listed} must be installed first, and nothing is installed while Slicer runs tests.")
        if withTorch:
            self._packages.checkTorchExtension()
        self._begin("Looking for a Python package index…")
        if not self._packages.reachIndex():
            raise InstallError(
                f"{listed} must be installed, but no Python package index can be reached; connect this computer to the"
                " internet, or install them from a folder as the README's section Installation says, and try again."
            )
        if not self._packages.confirm(self._question(state, names, withTorch, removeTorch)):
            raise InstallError(f"Upscaling needs {listed}; click Upscale again to install.")

    def _question(self, state: PackageState, names: list[str], withTorch: bool, removeTorch: bool) -> str:
        size = DownloadSize(state)
        lines = ["Upscaling needs Python packages that are missing or do not work:", ""]
        if withTorch:
            lines.append(f"• PyTorch, which runs the networks: {size.ofTorch()}")
        if names:
            lines.append(f"• {', '.join(names)}: {size.ofOthers()}")
        if removeTorch:
            lines += ["", f"PyTorch {state.torch}, which is there now, is removed first, for other extensions too."]
        lines += [
            "",
            "They are installed into this Slicer and nowhere else, from the Python package index and pytorch.org,"
            f" which takes {'some minutes' if withTorch else 'less than a minute'}. Slicer may not respond meanwhile."
            f" {size.room(withTorch)} No image leaves this computer.",
            "",
            "Install now?",
        ]
        return "\n".join(lines)

    def _begin(self, sentence: str) -> None:
        if self._cancelled():
            raise InstallError("The installation was cancelled; click Upscale again to go on with it.")
        self._tell(sentence)

    def _install(
        self,
        state: PackageState,
        missing: list[str],
        again: Collection[str] = (),
        torchRequirement: str = f">={LEAST_TORCH}",
    ) -> None:
        if not state.torch:
            state = self._installTorch(torchRequirement)
        constraints = [f"torch=={state.torch.split('+')[0]}", f"numpy=={state.numpy}"]
        for names, install in ((missing, self._packages.install), (again, self._packages.reinstall)):
            if names:
                self._begin(f"Installing {', '.join(names)}…")
                install([self._requirement(name, state) for name in names], constraints)
        if missing or again:
            self._checkNothingElseChanged(state, self._inspect())
        self.onInstalled()

    def _installTorch(self, requirement: str) -> PackageState:
        self._begin("Installing PyTorch, which takes some minutes…")
        try:
            self._packages.installTorch(requirement)
        except InstallError:
            # An installation that was cut off leaves its metadata behind; that says more than pip's exit code.
            self._checkTorch(self._inspect())
            raise
        state = self._inspect()
        self._checkTorch(state)
        if not state.torch:
            raise InstallError("PyTorch was not installed; see the Python console, then try again.")
        return state

    def _checkNothingElseChanged(self, before: PackageState, after: PackageState) -> None:
        self._checkTorch(after)
        if (after.torch, after.numpy) != (before.torch, before.numpy):
            raise InstallError(
                f"The installation changed PyTorch from {before.torch} to {after.torch or 'none'} and NumPy from"
                f" {before.numpy} to {after.numpy}; {self.REPAIR}."
            )
        if self._missing(after):
            raise InstallError(
                f"{', '.join(self._missing(after))} was not installed; see the Python console, then try again."
            )

    def _inspect(self) -> PackageState:
        return self._packages.inspect(list(self._requirements()))

    def _checkTorch(self, state: PackageState) -> None:
        # pip takes such a torch for installed, so installing again would "succeed" and change nothing.
        if state.torchFault:
            raise InstallError(f"PyTorch is only half-installed: it does not load ({state.torchFault}); {self.REPAIR}.")
        if state.torch and self._isTooOld(state.torch):
            raise InstallError(
                f"PyTorch {state.torch} is too old, {self.LEAST_TORCH} or newer is needed; {self.REPAIR}."
            )

    def _isTooOld(self, torch: str) -> bool:
        return versionNumbers(torch) < versionNumbers(self.LEAST_TORCH)

    def _missing(self, state: PackageState) -> list[str]:
        return [
            name
            for name, requirement in self._requirements().items()
            if versionNumbers(state.others.get(name) or "") < versionNumbers(requirement.split(">=")[1])
        ]

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
        return {line.split(">=")[0]: line for line in wanted}
