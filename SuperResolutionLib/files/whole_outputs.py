"""Outputs that are whole or absent: written under a temporary name beside their own, then renamed.

None of them may be the input, or another output.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from ..errors import InputError
from .bids_sidecar import is_sidecar, sidecar_of

OUTPUT_SUFFIXES = (".nii.gz", ".nrrd", ".nii", ".mha")
DETACHED_HEADERS = (".nhdr", ".mhd", ".hdr", ".img")
"""Volumes whose names end so have their voxels, or their header, in another file of the same name."""


class WholeOutputs:
    """Files that take their names together, when the block ends, or not at all.

    Example::

        with WholeOutputs() as outputs:
            outputs.add("notes.txt", lambda path: path.write_text("whole"))
    """

    def __init__(self) -> None:
        self._partials: dict[Path, Path] = {}

    def __enter__(self) -> WholeOutputs:
        return self

    def add(self, path: os.PathLike | str, write: Callable[[Path], object]) -> Path:
        """Let ``write`` make the file under a temporary name, and return that name.

        Raises:
            InputError: ``write`` raised an OSError, or the RuntimeError of ITK: the disk is full, or the like.
        """
        path = Path(path)
        partial = self._partials[path] = temporary_name(path)
        try:
            remove_what_died(path)
            write(partial)
        except (OSError, RuntimeError) as error:
            raise _cannot_write(path, error) from error
        return partial

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                for path, partial in self._partials.items():
                    try:
                        os.replace(partial, path)
                    except OSError as failure:
                        raise _cannot_write(path, failure) from failure
        finally:
            for partial in self._partials.values():
                partial.unlink(missing_ok=True)


def _cannot_write(path: Path, error: Exception) -> InputError:
    lines = (getattr(error, "strerror", None) or str(error)).splitlines()
    reason = lines[-1].rpartition("): ")[2].strip().rstrip(".") if lines else type(error).__name__
    return InputError(f"Cannot write {path} ({reason}); make room there, or choose another folder.")


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


def check_apart(source: os.PathLike | str, outputs: Sequence[os.PathLike | str]) -> None:
    """Raise InputError where an output is the input, a part of it or another output, by whatever path or link."""
    for number, output in enumerate(outputs):
        if _same_file(source, output) or _is_part(Path(source), Path(output)):
            raise InputError(f"The output {output} is the input, or a part of it; give the output another name.")
        if any(_same_file(output, other) for other in outputs[:number]):
            raise InputError(f"Two outputs have the name {output}; give each a name of its own.")


def _same_file(one: os.PathLike | str, other: os.PathLike | str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        # Names that differ in capitals only are one file on many disks.
        return os.path.realpath(one).casefold() == os.path.realpath(other).casefold()


def _is_part(source: Path, output: Path) -> bool:
    """Return whether a file that is there already belongs to an input of several files, as far as names tell."""
    if not output.is_file():
        return False
    sidecar = sidecar_of(source)
    if sidecar is not None and _same_file(sidecar, output):
        return is_sidecar(output)
    if output.name.lower().endswith((*OUTPUT_SUFFIXES, ".json", ".png")):
        return False
    beside = source if source.is_dir() else source.parent
    if not _same_file(output.resolve().parent, beside):
        return False
    return source.is_dir() or (source.name.lower().endswith(DETACHED_HEADERS) and output.stem == source.stem)


def temporary_name(path: os.PathLike | str) -> Path:
    """Return a hidden name beside ``path`` for a file that is renamed once it is whole.

    It has the suffix of ``path``, in small letters: ITK knows none in capitals.
    """
    before, after = _around_the_process(Path(path))
    return Path(path).with_name(f"{before}{os.getpid()}{after}")


def remove_what_died(path: os.PathLike | str) -> None:
    """Remove what processes that were killed on this machine have left of ``path`` under its temporary names.

    What lives, or was begun on another machine, stays; on Windows, where a process cannot be asked for by its number
    without harm, all stays.

    Raises:
        OSError: the folder cannot be read.
    """
    path = Path(path)
    before, after = _around_the_process(path)
    for name in os.listdir(path.absolute().parent):
        number = name[len(before) : len(name) - len(after)]
        if name == f"{before}{number}{after}" and number.isdigit() and not _is_running(int(number)):
            left = path.with_name(name)
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _around_the_process(path: Path) -> tuple[str, str]:
    """Return what stands before and after the number of the process in a temporary name for ``path``."""
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    suffix = "".join(path.suffixes[-2:])
    return f".partial-{machine}-", f"-{path.name[: len(path.name) - len(suffix)]}{suffix.lower()}"


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text; the file is whole or absent.

    Raises:
        InputError: the folder cannot be written or is full.
    """
    with WholeOutputs() as outputs:
        outputs.add(path, lambda partial: partial.write_text(text, encoding="utf-8"))
