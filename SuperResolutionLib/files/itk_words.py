"""ITK's readers and writers, with what they and their libraries print kept off standard error."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import SimpleITK as sitk

_lock = threading.Lock()
_within = 0
_to_undo = contextlib.ExitStack()


@contextlib.contextmanager
def itk_is_quiet() -> Iterator[None]:
    """Within it nothing reaches standard error: the error that is raised in the end says what matters.

    ITK's own warnings have a switch; those of the libraries in it (MetaIO, NIfTI, HDF5, TIFF) go to the descriptor.
    Several threads may be within; the last one to leave lets words through again.
    """
    global _within
    with _lock:
        if _within == 0:
            _silence()
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if _within == 0:
                _to_undo.close()


def _silence() -> None:
    _to_undo.callback(sitk.ProcessObject.SetGlobalWarningDisplay, sitk.ProcessObject.GetGlobalWarningDisplay())
    sitk.ProcessObject.GlobalWarningDisplayOff()
    with contextlib.suppress(OSError):  # a program with windows may have no standard error
        kept = os.dup(2)
        _to_undo.callback(os.close, kept)
        _to_undo.callback(os.dup2, kept, 2)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
