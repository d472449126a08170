"""NIfTI-1, NIfTI-2 and Analyze 7.5, by their own header, as nifti1.h and nifti2.h state it.

ITK knows no NIfTI-2 and no gzip under .nii, takes NaN for 0, and follows an sform only as far as its pixdim and right
angles allow. What it does read comes out here with the same bits.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...geometry.volume import LPS_TO_RAS, Volume
from .raw_voxels import check_one_component, check_one_volume, open_plain, read_raw, true_values

DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
COMPONENTS = {32: 2, 1792: 2, 2048: 2, 128: 3, 2304: 4}  # complex numbers, RGB, RGBA
MILLIMETRES = {1: 1e3, 2: 1.0, 3: 1e-3}
"""What xyzt_units calls metre, millimetre and micrometre, in mm; others, and none, are taken for mm."""
LABEL_INTENT = 1002
SCANNER = 1
FORM_CODES = {1: "scanner", 2: "aligned", 3: "Talairach", 4: "MNI", 5: "template"}
PAIRS = (".hdr", ".img")
DISAGREE = 0.25
"""Forms that put no corner further apart than this share of the smallest voxel side agree."""
ROUNDED = 4e-3
"""Cosine up to which axes off their right angle are taken for an oblique sform that was rounded to three digits."""

_FIELDS_1 = {
    "dim": ("8i2", 40),
    "intent_code": ("i2", 68),
    "datatype": ("i2", 70),
    "pixdim": ("8f4", 76),
    "vox_offset": ("f4", 108),
    "scl_slope": ("f4", 112),
    "scl_inter": ("f4", 116),
    "xyzt_units": ("u1", 123),
    "qform_code": ("i2", 252),
    "sform_code": ("i2", 254),
    "quatern": ("3f4", 256),
    "qoffset": ("3f4", 268),
    "srow": ("(3,4)f4", 280),
    "magic": ("S4", 344),
}
_FIELDS_2 = {
    "magic": ("S8", 4),
    "datatype": ("i2", 12),
    "dim": ("8i8", 16),
    "pixdim": ("8f8", 104),
    "vox_offset": ("i8", 168),
    "scl_slope": ("f8", 176),
    "scl_inter": ("f8", 184),
    "qform_code": ("i4", 344),
    "sform_code": ("i4", 348),
    "quatern": ("3f8", 352),
    "qoffset": ("3f8", 376),
    "srow": ("(3,4)f8", 400),
    "xyzt_units": ("i4", 500),
    "intent_code": ("i4", 504),
}


def read_nifti(path: Path) -> Volume | None:
    """Return the volume in a NIfTI or Analyze file, one of a header and image pair too; None where it is neither.

    Raises:
        InputError: damaged or cut short, no voxels beside the header, no real numbers, several volumes or components.
    """
    header_file, voxel_file = _pair(path)
    header = _header(header_file)
    if header is None:
        return None
    single = header["magic"].startswith(b"n+")
    analyze = not header["magic"].startswith((b"n+", b"ni"))
    if analyze and header_file == voxel_file:
        return None
    if not single and (header_file == voxel_file or not voxel_file.exists()):
        raise InputError(f"{path.name} has no voxels beside it; put the {_stem(path)}.img that belongs to it there.")
    dimensions = _dimensions(path.name, header)
    code = int(header["datatype"])
    check_one_component(path.name, COMPONENTS.get(code, 1))
    if code not in DTYPES:
        raise InputError(f"{path.name} holds numbers of a kind that is not read (NIfTI datatype {code}); convert it.")
    offset = float(header["vox_offset"])
    if not 0 <= offset < 2**53:
        raise InputError(f"{path.name} is damaged or cut short; get a fresh copy of the file.")
    dtype = np.dtype(DTYPES[code]).newbyteorder(header.dtype["dim"].base.byteorder)
    stored = read_raw(header_file if single else voxel_file, int(offset), dimensions, dtype)
    if analyze:
        matrix = LPS_TO_RAS @ np.diag([*_spacing(header), 1.0])
        notes = ["An Analyze file does not say its orientation; left and right may be exchanged in the result."]
        if np.isfinite(header["scl_slope"]) and header["scl_slope"] not in (0, 1):
            notes.append(
                f"The file's values were multiplied by {header['scl_slope']:.6g}, its scale by SPM's convention."
            )
    else:
        matrix, notes = _place(header, dimensions)
    return Volume(
        true_values(stored, float(header["scl_slope"]), 0.0 if analyze else float(header["scl_inter"])),
        matrix,
        "SEG" if not analyze and header["intent_code"] == LABEL_INTENT else None,
        notes=tuple(notes),
    )


def _pair(path: Path) -> tuple[Path, Path]:
    """Return the file with the header and the one with the voxels."""
    stem = _stem(path)
    suffix = path.name[len(stem) :].lower()
    if not suffix.startswith(PAIRS):
        return path, path
    halves = []
    for half in PAIRS:
        names = [stem + end for end in (half, half.upper(), half + ".gz", half.upper() + ".GZ")]
        beside = [path.with_name(name) for name in names]
        found = next((other for other in beside if other.exists()), beside[0])
        halves.append(path if suffix.startswith(half) else found)
    if not halves[0].exists():
        raise InputError(f"{path.name} has no header beside it; put the {stem}.hdr that belongs to it there.")
    return halves[0], halves[1]


def _stem(path: Path) -> str:
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return os.path.splitext(name)[0]


def _header(path: Path) -> Any:
    """Return the header's fields, of which an Analyze header has those up to ``pixdim``; None where it is none."""
    try:
        with open_plain(path) as file:
            content = file.read(540)
    except (EOFError, zlib.error):
        return None
    for order in "<>":
        for size, fields in ((348, _FIELDS_1), (540, _FIELDS_2)):
            if len(content) >= size and np.frombuffer(content[:4], f"{order}i4")[0] == size:
                formats, offsets = zip(*fields.values())
                layout: Any = {"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": size}
                return np.frombuffer(content[:size], np.dtype(layout).newbyteorder(order))[0]
    return None


def _dimensions(name: str, header: Any) -> tuple[int, int, int]:
    count, *sizes = (int(size) for size in header["dim"])
    if not 1 <= count <= 7:
        raise InputError(f"{name} is damaged: its header states {count} dimensions; get a fresh copy of the file.")
    sizes = [*sizes[:count], *(1,) * (7 - count)]
    # The fifth axis is that of vectors and tensors.
    if sizes[3] <= 1 < sizes[4] and max(sizes[5:]) <= 1:
        check_one_component(name, sizes[4])
    check_one_volume(name, tuple(sizes))
    return sizes[0], sizes[1], sizes[2]


def _spacing(header: Any) -> np.ndarray:
    spacing = np.abs(header["pixdim"][1:4].astype(float))
    return np.where(np.isfinite(spacing) & (spacing > 0), spacing, 1.0)


def _place(header: Any, dimensions: tuple[int, int, int]) -> tuple[np.ndarray, list[str]]:
    """Return the IJK to RAS matrix in mm, and in sentences what had to be decided.

    The sform is followed where it is the scanner's, where it is all there is, or where the qform has the same code;
    else the qform, as ITK and 3D Slicer do.
    """
    notes, forms = [], {}
    scale = MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    codes = {form: int(header[f"{form}_code"]) for form in ("sform", "qform")}
    for form, rows in (("sform", _sform(header)), ("qform", _qform(header))):
        if codes[form] > 0 and _is_usable(rows):
            forms[form] = _with_exact_spacing(rows, _spacing(header))
        elif codes[form] > 0:
            notes.append(f"The file's {form} is singular or no number, and was not used.")
    if not forms:
        notes.append(
            "The file has neither an sform nor a qform, so where it lies and which side is left are not known; it was"
            " put where 3D Slicer puts it."
        )
        return LPS_TO_RAS @ np.diag([*_spacing(header) * scale, 1.0]), notes
    sform_first = codes["sform"] in (SCANNER, codes["qform"])
    used = "sform" if "qform" not in forms or ("sform" in forms and sform_first) else "qform"
    matrix = forms[used]
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if len(forms) == 2:
        apart = _farthest_corner(forms["sform"], forms["qform"], dimensions)
        if apart > DISAGREE * spacing.min():
            named = {form: f"{form} ({FORM_CODES.get(codes[form], codes[form])})" for form in forms}
            notes.append(
                f"The file's {named['sform']} and {named['qform']} disagree by up to {apart * scale:.3g} mm; the {used}"
                " was followed."
            )
    elif not np.allclose(spacing, _spacing(header), rtol=0.01):
        sizes = [" x ".join(f"{value:.4g}" for value in sides * scale) for sides in (spacing, _spacing(header))]
        notes.append(
            f"The file's sform gives voxels of {sizes[0]} mm and its pixdim {sizes[1]} mm; the sform was followed."
        )
    return _squared(matrix, dimensions, notes, scale), notes


def _sform(header: Any) -> np.ndarray:
    return np.vstack([header["srow"].astype(float), [0, 0, 0, 1]])


def _qform(header: Any) -> np.ndarray:
    """Return the matrix of the quaternion as ``nifti_quatern_to_mat44`` does, its entries rounded as the header's."""
    b, c, d = (float(value) for value in header["quatern"])
    a = 1 - (b * b + c * c + d * d)
    if a < 1e-7:
        length = np.sqrt(b * b + c * c + d * d)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = np.sqrt(a)
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    matrix = np.eye(4, dtype=header["pixdim"].dtype.newbyteorder("="))
    matrix[:3, :3] = turn * _spacing(header) * [1, 1, -1 if header["pixdim"][0] < 0 else 1]
    matrix[:3, 3] = header["qoffset"]
    return matrix.astype(float)


def _is_usable(matrix: np.ndarray) -> bool:
    lengths = np.sqrt((matrix[:3, :3] ** 2).sum(axis=0))
    if not np.isfinite(matrix).all() or (lengths == 0).any():
        return False
    return bool(abs(np.linalg.det(matrix[:3, :3] / lengths)) > 1e-4)


def _with_exact_spacing(matrix: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Return the matrix with ``spacing`` in place of its own where they differ by rounding only."""
    x, y, z = matrix[:3, :3]
    lengths = np.sqrt(x * x + y * y + z * z)
    exact = matrix.copy()
    exact[:3, :3] = matrix[:3, :3] / lengths * np.where(np.abs(lengths / spacing - 1) < 1e-5, spacing, lengths)
    return exact


def _farthest_corner(one: np.ndarray, other: np.ndarray, dimensions: tuple[int, int, int]) -> float:
    """Return the largest distance in mm between a corner of the voxels by one matrix and by the other."""
    corners = np.array([(*(np.array(corner) * (np.array(dimensions) - 1)), 1) for corner in np.ndindex(2, 2, 2)])
    return float(np.linalg.norm(corners @ (one - other)[:3].T, axis=1).max())


def _squared(matrix: np.ndarray, dimensions: tuple[int, int, int], notes: list[str], scale: float) -> np.ndarray:
    """Return the matrix in mm, ``scale`` to its unit, with axes at right angles where only rounding has turned them.

    The axes become the nearest ones at right angles, about the middle of the volume.
    """
    matrix = np.diag([scale, scale, scale, 1.0]) @ matrix if scale != 1 else matrix
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    axes = matrix[:3, :3] / spacing
    if not 1e-3 < np.abs(axes.T @ axes - np.eye(3)).max() < ROUNDED:
        return matrix
    left, _, right = np.linalg.svd(axes)
    middle = (np.array(dimensions) - 1) / 2
    squared = np.eye(4)
    squared[:3, :3] = left @ right * spacing
    squared[:3, 3] = matrix[:3, :3] @ middle + matrix[:3, 3] - squared[:3, :3] @ middle
    moved = _farthest_corner(squared, matrix, dimensions)
    notes.append(f"The file's matrix is rounded; its axes were set at right angles, by up to {moved:.2g} mm.")
    return squared
