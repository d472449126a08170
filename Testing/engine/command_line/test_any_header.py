"""Random headers, each with a random request: the result lies where the header says, or one sentence refuses it.

``SUPERRESOLUTION_EXAMPLES=1000`` tries so many of them instead of a few; they are the same ones each time.
"""

import gzip
import itertools
import json
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("SUPERRESOLUTION_EXAMPLES", "25"))
PLACE = 1e-4
"""mm"""
SHAPES = st.tuples(*[st.sampled_from([9, 12, 6, 14, 4, 3, 2, 1])] * 3)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
WORDS = {"u1": "uint8", "i1": "int8", "u2": "uint16", "i2": "int16", "u4": "uint32", "i4": "int32"}
WORDS.update({"u8": "uint64", "i8": "int64", "f4": "float", "f8": "double"})
METAIMAGE = {"u1": "UCHAR", "i1": "CHAR", "u2": "USHORT", "i2": "SHORT", "u4": "UINT", "i4": "INT"}
METAIMAGE.update({"u8": "ULONG_LONG", "i8": "LONG_LONG", "f4": "FLOAT", "f8": "DOUBLE"})


@dataclass
class Scan:
    """A file as it was written.

    Attributes:
        voxels: ``(i, j, k)``, what the file means.
        places: the IJK to RAS matrices, in mm, of which a reader may follow one. unsure: whether it must say so.
        scalar_type: numpy's name, or None where the values are scaled.
    """

    path: Path
    voxels: np.ndarray
    places: list = field(default_factory=list)
    unsure: bool = False
    scalar_type: str | None = None


# ---------------------------------------------------------------- headers


@st.composite
def matrices(draw):
    """Return an IJK to RAS matrix in mm: along the axes or oblique, of either hand, seldom sheared."""
    if draw(st.booleans()):
        axes = np.eye(3)[list(draw(st.permutations(range(3))))]
    else:
        q = np.array([draw(st.floats(-1, 1)) for _ in range(4)]) + [1e-3, 0, 0, 0]
        a, b, c, d = q / np.linalg.norm(q)
        axes = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
            ]
        )
    axes = axes * [draw(st.sampled_from([1, -1])) for _ in range(3)]
    if draw(st.integers(0, 9)) == 0:
        axes[:, 2] += draw(st.floats(0.02, 0.4)) * axes[:, 1]
    spacing = [draw(st.sampled_from([0.5, 0.86, 1.0, 1.25, 3.0, 5.5]) | st.floats(0.2, 6)) for _ in range(3)]
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = [draw(st.floats(-300, 300)) for _ in range(3)]
    return matrix


def made_voxels(shape, dtype, seed):
    """Return ``(i, j, k)`` voxels that are as noisy as a scan and look different from each side."""
    random = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*((np.arange(size) + 0.5) / size for size in shape), indexing="ij")
    values = 40 * x + 20 * y + 90 * np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2 + (z - 0.4) ** 2) / 0.1)
    values = values + random.normal(0, 4, shape)
    return np.rint(values.clip(0, 127)).astype(dtype) if dtype[0] in "ui" else (values - 30).astype(dtype)


@st.composite
def nifti_files(draw, folder):
    """Write a NIfTI file: version 1 or 2, q, s, both, two that differ, or none, in mm, m or micrometres."""
    shape, dtype = draw(SHAPES), draw(st.sampled_from([*INTEGERS, "f4", "f8"]))
    order, matrix = draw(st.sampled_from("<>")), draw(matrices())
    unit, scale = draw(st.sampled_from([("mm", 1.0), ("mm", 1.0), ("meter", 1e3), ("micron", 1e-3), ("unknown", 1.0)]))
    kind = draw(st.sampled_from(["q", "s", "both", "both", "differ", "none"]))
    image_class = draw(st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]))
    stored = made_voxels(shape, dtype, draw(st.integers(0, 99)))
    header = image_class.header_class(endianness=order)
    header.set_data_dtype(np.dtype(order + dtype))
    header.set_data_shape(shape)
    header.set_xyzt_units(unit)
    in_unit = np.diag([1 / scale] * 3 + [1]) @ matrix
    code = draw(st.integers(1, 4))
    header.set_qform(in_unit, code if kind != "s" else 0, strip_shears=True)
    other = in_unit.copy()
    if kind == "differ":
        other[:3, 3] += 40 / scale
    header.set_sform(other, 0 if kind in ("q", "none") else code if kind == "both" else draw(st.integers(1, 4)))
    if kind == "none":
        header["qform_code"] = 0
    values, scaled = stored, None
    if draw(st.integers(0, 4)) == 0:
        header["scl_slope"], header["scl_inter"] = slope, offset = draw(st.sampled_from([(2, 0), (0.5, -10), (1, -9)]))
        values, scaled = stored * float(slope) + offset, True
    forms = {"q": header.get_qform(), "s": header.get_sform()}
    to_mm = np.diag([scale] * 3 + [1])
    if kind == "none":
        places = [LPS @ np.diag([*np.array(header["pixdim"][1:4], float), 1.0])]
    else:
        places = [form for name, form in forms.items() if kind in ("both", "differ") or kind == name]
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    content = header.binaryblock + bytes(4) + stored.astype(order + dtype).tobytes(order="F")
    name = draw(st.sampled_from(["s.nii", "s.nii.gz", "S.NII.GZ", "s.NII"]))
    zipped = name.lower().endswith(".gz") or draw(st.integers(0, 9)) == 0
    (folder / name).write_bytes(gzip.compress(content, 1) if zipped else content)
    scalar_type = None if scaled else np.dtype(dtype).name
    return Scan(folder / name, values, [to_mm @ place for place in places], kind in ("differ", "none"), scalar_type)


@st.composite
def nrrd_files(draw, folder):
    """Write an NRRD file, its voxels in it or beside it, in one of the spaces that patients have."""
    shape, dtype = draw(SHAPES), draw(st.sampled_from([*INTEGERS, "f4", "f8"]))
    order, matrix = draw(st.sampled_from("<>")), draw(matrices())
    unit, scale = draw(st.sampled_from([(None, 1.0), ("mm", 1.0), ("m", 1e3), ("um", 1e-3)]))
    spaces = {"left-posterior-superior": (-1, -1, 1), "RAS": (1, 1, 1), "left-anterior-superior": (-1, 1, 1)}
    space = draw(st.sampled_from(list(spaces)))
    voxels = made_voxels(shape, dtype, draw(st.integers(0, 99)))
    stated = np.diag([*np.array(spaces[space]) / scale, 1.0]) @ matrix
    vectors = [f"({','.join(repr(float(value)) for value in column)})" for column in stated[:3].T]
    zipped, apart = draw(st.booleans()), draw(st.booleans())
    lines = [
        "NRRD0005",
        f"type: {WORDS[dtype]}",
        "dimension: 3",
        f"space: {space}",
        f"sizes: {' '.join(map(str, shape))}",
    ]
    lines += [
        f"space directions: {' '.join(vectors[:3])}",
        f"space origin: {vectors[3]}",
        "kinds: domain domain domain",
    ]
    lines += [f"endian: {'little' if order == '<' else 'big'}", f"encoding: {'gzip' if zipped else 'raw'}"]
    lines += [f'space units: "{unit}" "{unit}" "{unit}"'] if unit else []
    lines += ["data file: s.raw"] if apart else []
    content = voxels.astype(order + dtype).tobytes(order="F")
    content = gzip.compress(content, 1) if zipped else content
    path = folder / ("s.nhdr" if apart else draw(st.sampled_from(["s.nrrd", "S.NRRD"])))
    path.write_bytes("\n".join([*lines, "", ""]).encode() + (b"" if apart else content))
    if apart:
        (folder / "s.raw").write_bytes(content)
    return Scan(path, voxels, [matrix], scalar_type=np.dtype(dtype).name)


@st.composite
def metaimage_files(draw, folder):
    """Write a MetaImage, its voxels in it or beside it."""
    shape, dtype = draw(SHAPES), draw(st.sampled_from([*INTEGERS, "f4", "f8"]))
    order, matrix = draw(st.sampled_from("<>")), draw(matrices())
    unit, scale = draw(st.sampled_from([(None, 1.0), ("mm", 1.0), ("um", 1e-3), ("?", 1.0)]))
    voxels = made_voxels(shape, dtype, draw(st.integers(0, 99)))
    stated = np.diag([-1 / scale, -1 / scale, 1 / scale, 1.0]) @ matrix
    spacing = np.linalg.norm(stated[:3, :3], axis=0)

    def words(values):
        return " ".join(repr(float(value)) for value in values)

    apart = draw(st.booleans())
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True", f"BinaryDataByteOrderMSB = {order == '>'}"]
    lines += ["CompressedData = False", f"TransformMatrix = {words((stated[:3, :3] / spacing).T.ravel())}"]
    lines += [f"{draw(st.sampled_from(['Offset', 'Position', 'Origin']))} = {words(stated[:3, 3])}"]
    lines += [f"ElementSpacing = {words(spacing)}", f"DimSize = {' '.join(map(str, shape))}"]
    lines += [f"DistanceUnits = {unit}"] if unit else []
    lines += [f"ElementType = MET_{METAIMAGE[dtype]}", f"ElementDataFile = {'s.raw' if apart else 'LOCAL'}"]
    content = voxels.astype(order + dtype).tobytes(order="F")
    path = folder / ("s.mhd" if apart else draw(st.sampled_from(["s.mha", "S.MHA"])))
    path.write_bytes("\n".join([*lines, ""]).encode() + (b"" if apart else content))
    if apart:
        (folder / "s.raw").write_bytes(content)
    return Scan(path, voxels, [matrix], scalar_type=np.dtype(dtype).name)


# ---------------------------------------------------------------- requests

FACTORS = (
    "2",
    "3",
    "4",
    "8",
    "2x2x1",
    "4x4x1",
    "1x1x2",
    "1x1x4",
    "2x2x2",
    "3x3x1",
    "1x4x4",
    "4x1x4",
    "2x4x1",
    "5",
    "1",
)


@st.composite
def requests(draw, scan):
    """Return the words of a request, and the box of voxels that it is of."""
    spacing = np.linalg.norm(scan.places[0][:3, :3], axis=0)
    shape = scan.voxels.shape
    grid = draw(st.sampled_from(["factor"] * 4 + ["spacing", "spacings", "isotropic"]))
    words = {"factor": ["--factor", draw(st.sampled_from(FACTORS))], "isotropic": ["--isotropic"]}
    finer = [float(size * draw(st.floats(0.13, 1.1))) for size in spacing]
    words["spacing"] = ["--spacing", repr(finer[0])]
    words["spacings"] = ["--spacing", "x".join(map(repr, finer))]
    chosen, box = words[grid], (np.zeros(3, int), np.array(shape))
    if draw(st.integers(0, 3)) == 0:
        first = np.array([draw(st.integers(0, size - 1)) for size in shape])
        last = np.array([draw(st.integers(low + 1, size)) for low, size in zip(first, shape)])
        box = (first, last)
        chosen = [*chosen, f"--box={','.join(map(str, [*first, *last]))}"]
    extras = {
        "--as-stored": [],
        "--no-consistency": [],
        "--no-compression": [],
        "--output-type": ["float"],
        "--labels": ["nearest"],
        "--detail": [draw(st.sampled_from(["0", "0.5", "1"]))],
        "--thickness": [repr(float(spacing[2] * draw(st.floats(0.1, 4))))],
    }
    for option, values in extras.items():
        if draw(st.integers(0, 7)) == 0:
            chosen = [*chosen, option, *values]
    return [*chosen, "--quality", "fast", "--progress", "none"], box


def wanted_grids(words, spacing, box):
    """Return the grids that a request may mean: old voxels a new one, and numbers of voxels, along i, j and k.

    Where it names the slice plane only, the slices may lie along any axis.
    """
    size = box[1] - box[0]
    if "--factor" in words:
        given = [int(part) for part in words[words.index("--factor") + 1].split("x")]
        factors = [given] if len(given) == 3 else [[1 if a == k else given[0] for a in range(3)] for k in range(3)]
        return [(1 / np.array(f, float), size * f) for f in factors]
    if "--isotropic" in words:
        targets = [[min(spacing)] * 3]
    else:
        given = [float(part) for part in words[words.index("--spacing") + 1].split("x")]
        one = [[spacing[a] if a == k else given[0] for a in range(3)] for k in range(3)]
        targets = [given] if len(given) == 3 else one
    found = []
    for target in targets:
        steps = np.array(target) / spacing
        counts = [{max(1, int(np.rint(n / s + ulp))) for ulp in (-1e-6, 1e-6)} for n, s in zip(size, steps)]
        found += [(steps, np.array(numbers)) for numbers in itertools.product(*counts)]
    return found


# ---------------------------------------------------------------- the sweep


def read_back(path):
    """Return ``(i, j, k)`` voxels and the IJK to RAS matrix by a reader that is not ours."""
    if ".nii" in path.name:
        image = nibabel.load(path)
        return np.asarray(image.dataobj), image.affine
    image = sitk.ReadImage(str(path))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, LPS @ matrix


def check_served(scan, words, box, output, report):
    """Check place, type and content of a result against the file as it was written."""
    fine, matrix = read_back(output)
    apart, step, first = min(
        (
            (farthest_corner(matrix, place @ moved(steps, start), fine.shape), tuple(steps), tuple(start))
            for place in scan.places
            for steps, numbers in wanted_grids(words, np.linalg.norm(place[:3, :3], axis=0), box)
            for start in [(box[1] - box[0] - 1) / 2 - steps * (numbers - 1) / 2 + box[0]]
            if tuple(numbers) == fine.shape
        ),
        default=(np.inf, (), ()),
    )
    assert apart < PLACE, f"{apart} mm off"
    if scan.unsure:
        assert report["warnings"]
    if scan.scalar_type and "--output-type" not in words:
        assert fine.dtype.name == scan.scalar_type
    if min(box[1] - box[0]) >= 4:
        where = [
            np.clip(f + s * np.arange(n), 0, size - 1)
            for f, s, n, size in zip(first, step, fine.shape, scan.voxels.shape)
        ]
        nearest = scan.voxels[np.ix_(*(np.rint(index).astype(int) for index in where))]
        assert np.corrcoef(nearest.ravel().astype(float), fine.ravel().astype(float))[0, 1] > 0.8


def moved(steps, first):
    """Return the matrix from new indices to old ones."""
    matrix = np.diag([*steps, 1.0])
    matrix[:3, 3] = first
    return matrix


def farthest_corner(one, other, shape):
    """Return how far, in mm, a corner lies by one matrix from where it lies by the other."""
    corners = np.array([[*corner, 1] for corner in itertools.product(*((-0.5, size - 0.5) for size in shape))])
    return float(np.linalg.norm(((one - other) @ corners.T)[:3], axis=0).max())


def test_whatever_the_header_the_result_lies_where_it_says_or_one_sentence_refuses_it(run_here):
    served = []

    @settings(max_examples=EXAMPLES)
    @given(st.data())
    def sweep(data):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            scan = data.draw(nifti_files(folder) | nrrd_files(folder) | metaimage_files(folder))
            words, box = data.draw(requests(scan))
            output = folder / data.draw(st.sampled_from(["out.nrrd", "out.nii.gz", "out.nii", "out.mha", "OUT.NRRD"]))
            report, before = folder / "out.json", {path.name for path in folder.iterdir()}
            code, out, err = run_here("upscale", scan.path, output, *words, "--report", report)
            left = {path.name for path in folder.iterdir()} - before
            assert out == ""
            if code == 0:
                assert (err, left) == ("", {output.name, report.name})
                check_served(scan, words, box, output, json.loads(report.read_text(encoding="utf-8")))
            else:
                assert (code, left) == (2, set())
                assert re.fullmatch(r"superresolution: [A-Z][^\n]+\.\n", err)
            served.append(code == 0)

    sweep()
    assert np.mean(served) > 0.4, "most of the requests should be served"


@pytest.mark.parametrize("axis", range(3))
def test_the_sweep_sees_a_result_that_lies_elsewhere(axis, tmp_path):
    voxels = made_voxels((8, 9, 10), "i2", 0)
    scan = Scan(tmp_path / "s", voxels, [np.diag([1.0, 1, 3, 1])], scalar_type="int16")
    fine = nibabel.Nifti1Image(voxels.repeat(2, 0).repeat(2, 1), np.diag([0.5, 0.5, 3, 1]))
    fine.affine[:3, 3] = [-0.25, -0.25, 0]
    box = (np.zeros(3, int), np.array([8, 9, 10]))
    nibabel.save(fine, tmp_path / "o.nii")
    check_served(scan, ["--factor", "2"], box, tmp_path / "o.nii", {})
    fine.affine[axis, 3] += 2e-4
    nibabel.save(fine, tmp_path / "o.nii")
    with pytest.raises(AssertionError, match="mm off"):
        check_served(scan, ["--factor", "2"], box, tmp_path / "o.nii", {})
