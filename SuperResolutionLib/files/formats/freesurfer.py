"""FreeSurfer's volumes, .mgh and .mgz (https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...geometry.volume import Volume
from .raw_voxels import check_one_volume, open_plain, read_raw

SUFFIXES = (".mgz", ".mgh", ".mgh.gz")
DTYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
VOXELS_AT = 284
UNPLACED = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""The directions of i, j and k, in columns, where a file states none: coronal slices."""


def read_freesurfer(path: Path) -> Volume:
    """Return the volume in a file.

    Raises:
        InputError: not such a file, damaged or cut short, several volumes, or a type that is not read.
    """
    try:
        with open_plain(path) as file:
            header = file.read(90)
    except (EOFError, zlib.error):
        header = b""
    if len(header) < 90 or header[:4] != b"\0\0\0\1":
        raise InputError(f"{path.name} is not a FreeSurfer volume, or is damaged; get a fresh copy of the file.")
    *sizes, code, _ = struct.unpack(">6i", header[4:28])
    check_one_volume(path.name, tuple(sizes))
    if code not in DTYPES:
        raise InputError(f"{path.name} holds numbers of a kind that is not read (MGH type {code}); convert it.")
    dimensions = (sizes[0], sizes[1], sizes[2])
    placed, *numbers = struct.unpack(">h15f", header[28:90])
    spacing, directions, centre = np.array(numbers[:3]), np.array(numbers[3:12]).reshape(3, 3).T, np.array(numbers[12:])
    notes: tuple[str, ...] = ()
    if placed <= 0:
        spacing, directions, centre = np.ones(3), UNPLACED, np.zeros(3)
        notes = ("The file does not say where it lies; coronal slices of 1 mm were taken, as FreeSurfer does.",)
    matrix = np.eye(4)
    matrix[:3, :3] = directions * spacing
    matrix[:3, 3] = centre - matrix[:3, :3] @ (np.array(dimensions) / 2)  # FreeSurfer's centre is that index
    return Volume(read_raw(path, VOXELS_AT, dimensions, np.dtype(DTYPES[code])), matrix, notes=notes)
