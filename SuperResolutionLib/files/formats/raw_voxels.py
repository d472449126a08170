"""Voxels as they lie in a file, behind its header, and the values that they stand for."""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from pathlib import Path

import numpy as np

from ...errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 1 << 24


def open_plain(path: os.PathLike | str) -> io.BufferedIOBase:
    """Open a file for reading its content: unpacked where it begins as gzip does, whatever its name says.

    Raises:
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return gzip.open(path) if packed else open(path, "rb")


def read_raw(path: Path, offset: int, dimensions: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return the voxels from byte ``offset`` of a file's plain content, ``(k, j, i)``, in the machine's byte order.

    Args:
        dimensions: number of voxels along i, j and k. dtype: of the stored voxels, with their byte order.

    Raises:
        InputError: the file ends before its voxels do, or its packing is damaged.
    """
    size = math.prod(dimensions) * dtype.itemsize
    try:
        with open_plain(path) as file:
            if not isinstance(file, gzip.GzipFile) and path.stat().st_size < offset + size:
                raise EOFError
            file.seek(offset)
            voxels = np.empty(math.prod(dimensions), dtype)
            content = voxels.data.cast("B")
            done = 0
            while done < size:
                got = file.readinto(content[done : done + BLOCK])
                if not got:
                    raise EOFError
                done += got
            file.read(1)  # at the end of its stream gzip compares the checksum
    except (EOFError, zlib.error, OSError):
        raise InputError(f"{path.name} is damaged or cut short; get a fresh copy of the file.") from None
    except (MemoryError, ValueError):
        raise InputError(
            f"{path.name} states {dimensions} voxels, more than fit into memory; check the file."
        ) from None
    return voxels.astype(dtype.newbyteorder("="), copy=False).reshape(tuple(reversed(dimensions)))


def true_values(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Return ``slope * stored + intercept``: as float64 where that is stored, or 64-bit integers are, else float32.

    A slope of 0, or one that is not a number, says that the stored values are the true ones (nifti1.h); they keep
    their type.
    """
    if not math.isfinite(slope) or slope == 0:
        return stored
    if not math.isfinite(intercept):
        intercept = 0.0
    if (slope, intercept) == (1, 0):
        return stored
    wide = stored.dtype == np.float64 or (stored.dtype.kind in "iu" and stored.dtype.itemsize == 8)
    values = np.empty(stored.shape, np.float64 if wide else np.float32)
    for k, slice_ in enumerate(stored):
        values[k] = slice_.astype(np.float64) * slope + intercept
    return values


def check_one_volume(name: str, sizes: tuple[int, ...]) -> None:
    """Raise InputError unless an image of these ``sizes``, three axes and those beyond, is one volume with voxels."""
    if any(size < 1 for size in sizes[:3]):
        raise InputError(f"{name} is empty; choose a volume with voxels.")
    beyond = [size for size in sizes[3:] if size > 1]
    if beyond:
        axes = max(axis for axis, size in enumerate(sizes, start=1) if size > 1)
        product = f"{' x '.join(map(str, beyond))} = " if len(beyond) > 1 else ""
        raise InputError(
            f"{name} is a series of {product}{math.prod(beyond)} volumes ({axes}-D); extract one volume and upscale"
            " that."
        )


def check_one_component(name: str, components: int) -> None:
    """Raise InputError where a voxel has more than one component."""
    if components > 1:
        raise InputError(
            f"{name} has {components} components per voxel (colour, vector or complex); choose a grey-scale volume."
        )
