"""ITK's readers and writers, with what they and their libraries print kept off standard error."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import SimpleITK as sitk


@contextlib.contextmanager
def itk_is_quiet() -> Iterator[None]:
    """Within it nothing reaches standard error: the error that is raised in the end says what matters.

    ITK's own warnings have a switch; those of the libraries in it (MetaIO, NIfTI, HDF5, TIFF) go to the descriptor.
    """
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.GlobalWarningDisplayOff()
    with contextlib.ExitStack() as after:
        after.callback(sitk.ProcessObject.SetGlobalWarningDisplay, shown)
        with contextlib.suppress(OSError):  # a program with windows may have no standard error
            kept = os.dup(2)
            after.callback(os.close, kept)
            after.callback(os.dup2, kept, 2)
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 2)
            os.close(nothing)
        yield
