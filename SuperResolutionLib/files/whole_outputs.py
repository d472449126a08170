"""Outputs that are whole or absent: written under a temporary name beside their own, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError


def check_output_folder(path: os.PathLike | str) -> None:
    """Raise InputError unless a file can be made beside ``path``."""
    probe = temporary_name(path)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"Cannot write into the folder {Path(path).absolute().parent} ({error.strerror}); choose another folder."
        ) from None


def temporary_name(path: os.PathLike | str) -> Path:
    """Return a hidden name beside ``path``, with its suffix, for a file that is renamed once it is whole."""
    path = Path(path)
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name, then rename."""
    partial = temporary_name(path)
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
