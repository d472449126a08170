from __future__ import annotations

from typing import Protocol


class Settings(Protocol):
    """A store of texts that outlives the application, such as ``slicer.app.userSettings()``."""

    def value(self, key: str) -> str | None:
        """Return what was stored, None where nothing was."""

    def setValue(self, key: str, value: str) -> None:
        """Store a text."""
