"""NIfTI and NRRD files written and compared slice by slice: no second copy of the voxels is in memory.

SimpleITK copies an array before it writes it, and reads a file back whole. So it writes the header of a few slices
alone, in which their number is then set right, and the voxels follow behind it.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Callable

from ..geometry.volume import Volume
from .formats.raw_voxels import open_plain

SUFFIXES = (".nii", ".nii.gz", ".nrrd")
STAND_IN = 2
"""Slices, at most, that the header is first written for; of one alone ITK might write a plane's."""
NIFTI_SLICES = 46
"""The byte of a NIfTI-1 header where the number of slices begins, int16 (nifti1.h, ``dim[3]``)."""
MOST_NIFTI_SLICES = 2**15 - 1
LEVEL = 1
"""Of compression: higher ones take far longer for a few per cent."""


def can_write(volume: Volume, path: Path) -> bool:
    """Return whether the format of ``path`` is written here: one whose header tells nothing of the packed voxels."""
    most = MOST_NIFTI_SLICES if path.suffix != ".nrrd" else float("inf")
    return path.name.endswith(SUFFIXES) and len(volume.voxels) <= most


def write(volume: Volume, path: Path, compressed: bool, write_few: Callable[[Volume], None]) -> None:
    """Write the volume, and read it back.

    Args:
        path: ends in one of ``SUFFIXES``; one that ends in ``.gz`` is packed in any case.
        write_few: writes a volume of few slices to ``path``, not packed but for a name that ends in ``.gz``.

    Raises:
        OSError: it cannot be written, or what is on the disk is not what was written.
    """
    few = replace(volume, voxels=volume.voxels[:STAND_IN])
    write_few(few)
    with open_plain(path) as file:
        content = file.read()
    header = _with_slices(content[: len(content) - few.voxels.nbytes], volume, path, compressed)
    with _opened(path, "wb", header, compressed) as file:
        for slice_ in volume.voxels:
            file.write(slice_.tobytes())
    try:
        with _opened(path, "rb", header, compressed) as file:
            whole = all(file.read(slice_.nbytes) == slice_.tobytes() for slice_ in volume.voxels) and not file.read(1)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        whole = False
    if not whole:
        raise OSError("the file was not whole when it was read back; is the disk full?")


def _with_slices(header: bytes, volume: Volume, path: Path, compressed: bool) -> bytes:
    """Return the header of few slices as that of all of them."""
    if path.suffix != ".nrrd":
        slices = struct.pack("=h", len(volume.voxels))
        return header[:NIFTI_SLICES] + slices + header[NIFTI_SLICES + len(slices) :]
    columns, rows, slices_ = volume.dimensions
    header = re.sub(rb"(?m)^sizes: .*$", f"sizes: {columns} {rows} {slices_}".encode(), header, count=1)
    return re.sub(rb"(?m)^encoding: .*$", b"encoding: gzip", header, count=1) if compressed else header


@contextmanager
def _opened(path: Path, mode: str, header: bytes, compressed: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open the voxels of a file: ``header`` is written before them, or compared with what stands there."""
    packed, inside = path.suffix == ".gz", path.suffix == ".nrrd" and compressed
    with open(path, mode) as plain:
        if packed or inside:
            if inside:
                _pass_header(plain, header, mode)
            with gzip.GzipFile("", mode, LEVEL, plain, mtime=0) as file:
                if packed:
                    _pass_header(file, header, mode)
                yield file
        else:
            _pass_header(plain, header, mode)
            yield plain


def _pass_header(file: IO[bytes] | gzip.GzipFile, header: bytes, mode: str) -> None:
    if mode == "wb":
        file.write(header)
    elif file.read(len(header)) != header:
        raise EOFError
