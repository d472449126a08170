from __future__ import annotations

from typing import Protocol

from .PackageState import PackageState


class PythonPackages(Protocol):
    """The Python environment that the worker will run in."""

    def inspect(self, names: list[str]) -> PackageState:
        """Return whether torch and the named packages are there, found out in a fresh process of that Python."""

    def mayInstall(self) -> bool:
        """Return whether anything may be installed at all; False while Slicer runs its tests."""

    def checkTorchExtension(self) -> None:
        """Return if PyTorch can be installed.

        Raises:
            InstallError: the PyTorch extension is missing; one sentence says where to get it.
        """

    def reachIndex(self) -> bool:
        """Return whether pip, as it is configured here, can find a package; takes up to half a minute offline."""

    def confirm(self, question: str) -> bool:
        """Ask the user."""

    def installTorch(self, requirement: str) -> None:
        """Install PyTorch.

        Raises:
            InstallError: the PyTorch extension is missing, or it failed.
        """

    def uninstallTorch(self) -> None:
        """Remove PyTorch, whole or half-installed.

        Raises:
            InstallError: as above, or files are in use.
        """

    def install(self, requirements: list[str], constraints: list[str]) -> None:
        """Install packages, none of which may change what ``constraints`` names.

        Raises:
            InstallError: pip failed.
        """

    def reinstall(self, requirements: list[str], constraints: list[str]) -> None:
        """Put the files of these packages in place again, and nothing else. Raises as ``install``."""
