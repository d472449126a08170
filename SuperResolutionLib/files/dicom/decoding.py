"""Voxels out of DICOM files, in true units, each frame by its own slope and intercept."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import InputError
from ..itk_words import itk_is_quiet
from .frames import Frame
from .headers import Header, import_pydicom

_MULTI_FRAME_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.3"
_CODED = """
    SOPInstanceUID Rows Columns NumberOfFrames SamplesPerPixel BitsAllocated BitsStored HighBit PixelRepresentation
    PixelData
"""


def decoded(frames: list[Frame]) -> np.ndarray:
    """Return the values of frames of one size, ``(frame, row, column)``.

    Integers stay integers, of the smallest type that holds what the headers allow, where all slopes and intercepts are
    whole; else they are float64. Without slopes and intercepts the type is the stored one. MONOCHROME1 changes nothing:
    it says how to show an image.

    Raises:
        InputError: a file is damaged, or compressed in a way that GDCM does not know.
    """
    voxels = np.empty((len(frames), *frames[0].shape), scalar_type(frames))
    wanted: dict[Header, list[int]] = {}
    for place, frame in enumerate(frames):
        wanted.setdefault(frame.header, []).append(place)
    for header, places in wanted.items():
        stored = _stored(header)
        for place in places:
            frame = frames[place]
            values = stored[frame.number]
            if frame.slope != 1:
                values = values.astype(np.float64 if voxels.dtype.kind == "f" else np.int64) * frame.slope
            offset = voxels.dtype.type(frame.intercept)
            np.add(values, offset, out=voxels[place], dtype=voxels.dtype, casting="unsafe")
    return voxels


def scalar_type(frames: list[Frame]) -> np.dtype:
    """Return the type that ``decoded`` gives, which is ITK's where the frames do not differ."""
    scales = {(*_stored_range(frame.header), frame.slope, frame.intercept) for frame in frames}
    stored = {_stored_type(frame.header) for frame in frames}
    if len(stored) == 1 and all((slope, intercept) == (1, 0) for _, _, slope, intercept in scales):
        return stored.pop()
    if any(slope != int(slope) or intercept != int(intercept) for _, _, slope, intercept in scales):
        return np.dtype(np.float64)
    ends = [slope * end + intercept for low, high, slope, intercept in scales for end in (low, high)]
    size = max(dtype.itemsize for dtype in stored)
    for bits in (8, 16, 32):
        dtype = np.dtype(f"{'u' if min(ends) >= 0 else ''}int{bits}")
        if dtype.itemsize >= size and np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max:
            return dtype
    return np.dtype(np.float64)


def padding_ranges(frames: list[Frame]) -> tuple[tuple[float, float], ...]:
    """Return the lowest and the highest value of padding that frames state, in true units, each that differs once.

    Stored as the other sign, such as 63536 for -2000, it is what the voxels' own type holds of it.
    """
    found = set()
    for frame in frames:
        first, last = (frame.first(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
        if not isinstance(first, int):
            continue
        ends = np.array([first, last if isinstance(last, int) else first], np.int64)
        stored = _without_overlay(ends.astype(_stored_type(frame.header)), _bits_stored(frame.header))
        values = sorted(float(end) * frame.slope + frame.intercept for end in stored)
        found.add((values[0], values[1]))
    return tuple(sorted(found))


def _stored_type(header: Header) -> np.dtype:
    return np.dtype(f"<{'i' if header.get('PixelRepresentation') else 'u'}{_bits_allocated(header) // 8}")


def _bits_allocated(header: Header) -> int:
    bits = int(header.get("BitsAllocated") or 0)
    if bits not in (8, 16, 32):
        raise InputError(f"{header.path.name} has pixels of {bits} bits; give images of 8, 16 or 32 bits.")
    return bits


def _bits_stored(header: Header) -> int:
    allocated = _bits_allocated(header)
    bits = int(header.get("BitsStored") or allocated)
    return bits if 0 < bits <= allocated else allocated


def _stored_range(header: Header) -> tuple[int, int]:
    bits = _bits_stored(header)
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if header.get("PixelRepresentation") else (0, (1 << bits) - 1)


def _stored(header: Header) -> np.ndarray:
    """Return the stored values of all frames of a file, ``(frame, row, column)``."""
    shape = header.frames, int(header.get("Rows")), int(header.get("Columns"))
    dtype = _stored_type(header)
    try:
        if header.pixels_at is not None:
            values = np.fromfile(header.path, dtype, int(np.prod(shape)), offset=header.pixels_at)
        elif header.compressed:
            values = _decompressed(header)
        else:
            values = _pixel_array(header)
        values = values.reshape(shape)
    except InputError:
        raise
    except Exception:  # what pydicom and GDCM raise on damaged bytes is any of a dozen kinds
        raise InputError(
            f"{header.path.name} is damaged or compressed in an unknown way; get a fresh copy of the file."
        ) from None
    return _without_overlay(values, _bits_stored(header))


def _without_overlay(values: np.ndarray, bits: int) -> np.ndarray:
    """Return values without what older files keep above the stored bits."""
    unused = values.dtype.itemsize * 8 - bits
    return (values << unused) >> unused if unused > 0 else values


def _pixel_array(header: Header) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_pydicom().dcmread(header.path, force=True).pixel_array


def _decompressed(header: Header) -> np.ndarray:
    """Return what GDCM decodes of a bare copy, without what would make it scale, invert or guess a place."""
    pydicom = import_pydicom()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        source = pydicom.dcmread(header.path, force=True)
        bare = pydicom.dataset.FileDataset(
            None, {}, preamble=bytes(128), file_meta=source.file_meta, is_implicit_VR=False, is_little_endian=True
        )
        for keyword in _CODED.split():
            if keyword in source:
                bare.add(source[keyword])
        bare.SOPClassUID = _MULTI_FRAME_CAPTURE
        bare.PhotometricInterpretation = "MONOCHROME2"
        path = Path(folder) / "bare.dcm"
        bare.save_as(path)
        with itk_is_quiet():
            return sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
