from __future__ import annotations

from typing import Protocol

from .PackageState import PackageState


class PythonPackages(Protocol):
    """The Python environment that the worker will run in."""

    def inspect(self, names: list[str]) -> PackageState:
        """Return whether torch and the named packages are there, found out in a fresh process of that Python."""

    def mayInstall(self) -> bool:
        """Return whether anything may be installed at all; False while Slicer runs its tests."""

    def confirm(self, question: str) -> bool:
        """Ask the user."""

    def installTorch(self, requirement: str) -> None:
        """Install PyTorch.

        Raises:
            InstallError: the PyTorch extension is missing, or it failed.
        """

    def install(self, requirements: list[str], constraints: list[str]) -> None:
        """Install packages, none of which may change what ``constraints`` names.

        Raises:
            InstallError: pip failed.
        """
