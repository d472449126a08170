"""NIfTI and Analyze files: where their forms put the voxels, their values, and what is said or refused."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.volume import Volume

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"
VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def placed(sform=None, sform_code=1, qform=None, qform_code=0, zooms=None, image=nibabel.Nifti1Image, values=VALUES):
    """Return an image whose header has just these forms."""
    made = image(values, None)
    if zooms is not None:
        made.header.set_zooms(zooms)
    if qform is not None:
        made.header.set_qform(qform, qform_code)
    if sform is not None:
        made.header.set_sform(sform, sform_code)
    made.header["sform_code"] = sform_code if sform is not None else 0
    made.header["qform_code"] = qform_code
    return made


def read(image, path):
    nibabel.save(image, path)
    return read_volume(path)


def rigid(seed, spacing=(0.9, 1.1, 3.0), mirrored=False):
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    if (np.linalg.det(turn) < 0) != mirrored:
        turn[:, 0] *= -1
    matrix = np.eye(4)
    matrix[:3, :3] = turn * spacing
    matrix[:3, 3] = random.uniform(-100, 100, 3)
    return matrix


@pytest.mark.parametrize("image", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_of_either_version_lies_where_nibabel_puts_it(tmp_path, image, suffix):
    volume = read(image(VALUES, rigid(1)), tmp_path / f"v{suffix}")
    np.testing.assert_allclose(volume.ijk_to_ras, rigid(1), atol=1e-5)
    np.testing.assert_array_equal(volume.voxels, VALUES.T)
    assert volume.voxels.dtype == np.int16 and volume.notes == ()


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_a_qform_alone_and_an_sform_alone_give_their_matrix(tmp_path, seed, mirrored, quaternion):
    matrix = rigid(seed, mirrored=mirrored)
    zooms = (0.9, 1.1, 3.0)
    forms = dict(qform=matrix, qform_code=1) if quaternion else dict(sform=matrix, zooms=zooms)
    volume = read(placed(**forms), tmp_path / "v.nii")
    np.testing.assert_allclose(volume.ijk_to_ras, matrix, atol=2e-4)
    assert volume.notes == ()


def test_what_itk_reads_comes_out_with_the_same_bits(tmp_path, oblique_phantom):
    import SimpleITK as sitk

    from SuperResolutionLib.files.writing import write_volume

    write_volume(oblique_phantom, tmp_path / "v.nii.gz")
    image, ours = sitk.ReadImage(str(tmp_path / "v.nii.gz")), read_volume(tmp_path / "v.nii.gz")
    theirs = np.eye(4)
    theirs[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    theirs[:3, 3] = image.GetOrigin()
    np.testing.assert_array_equal(ours.ijk_to_ras, np.diag([-1.0, -1.0, 1.0, 1.0]) @ theirs)


@pytest.mark.parametrize("qform_code", [0, 1])
def test_an_sform_that_scales_what_pixdim_says_is_followed_and_said(tmp_path, qform_code):
    pixdim = np.diag([0.9, 0.9, 2.0, 1.0])
    volume = read(placed(np.diag([1, 1, 3, 1.0]), 1, pixdim, qform_code), tmp_path / "v.nii")
    np.testing.assert_allclose(volume.spacing, (1, 1, 3), atol=1e-6)
    assert len(volume.notes) == 1 and "the sform was followed" in volume.notes[0]


@pytest.mark.parametrize("qform_code", [0, 1])
def test_an_sform_that_shears_is_kept(tmp_path, qform_code):
    sheared = np.diag([1.0, 1.0, 3.0, 1.0])
    sheared[1, 2] = 0.6
    volume = read(placed(sheared, 1, np.diag([1, 1, 3, 1.0]), qform_code, (1, 1, 3)), tmp_path / "v.nii")
    np.testing.assert_allclose(volume.ijk_to_ras, sheared, atol=1e-6)
    assert volume.is_sheared


@pytest.mark.parametrize(
    "codes, followed", [((1, 1), "sform"), ((2, 2), "sform"), ((2, 1), "qform"), ((4, 1), "qform")]
)
def test_forms_that_disagree_are_said_with_the_one_that_was_followed(tmp_path, codes, followed):
    sform, qform = rigid(1), rigid(1)
    qform[2, 3] += 40
    volume = read(placed(sform, codes[0], qform, codes[1]), tmp_path / "v.nii")
    np.testing.assert_allclose(volume.ijk_to_ras, sform if followed == "sform" else qform, atol=1e-4)
    (note,) = volume.notes
    assert f"disagree by up to 40 mm; the {followed} was followed" in note


def test_a_file_without_forms_is_put_where_itk_puts_it_and_said(tmp_path):
    volume = read(placed(zooms=(1, 2, 3)), tmp_path / "v.nii")
    np.testing.assert_allclose(volume.ijk_to_ras, np.diag([-1, -2, 3, 1]))
    assert len(volume.notes) == 1 and "neither an sform nor a qform" in volume.notes[0]


def test_a_singular_sform_is_not_used_and_said(tmp_path):
    volume = read(placed(np.diag([1.0, 1.0, 0.0, 1.0]), 1, rigid(1), 1), tmp_path / "v.nii")
    np.testing.assert_allclose(volume.ijk_to_ras, rigid(1), atol=1e-4)
    assert len(volume.notes) == 1 and "sform is singular" in volume.notes[0]


@pytest.mark.parametrize("digits", [5, 4, 3])
@given(seed=st.integers(0, 10**6))
def test_a_rounded_oblique_sform_is_squared_and_moves_nothing(tmp_path, digits, seed):
    matrix = rigid(seed, (0.9375, 0.9375, 3.0))
    rounded = matrix.copy()
    rounded[:3] = matrix[:3].round(digits)
    zooms = np.linalg.norm(rounded[:3, :3], axis=0)
    volume = read(placed(rounded, 2, zooms=zooms, values=np.zeros((64, 64, 20), np.int16)), tmp_path / "v.nii")
    assert not volume.is_sheared
    corners = np.array([[i, j, k, 1] for i in (0, 63) for j in (0, 63) for k in (0, 19)])
    assert np.abs(corners @ (volume.ijk_to_ras - matrix).T).max() < 0.1


@pytest.mark.parametrize("unit, mm", [("meter", 1000), ("mm", 1), ("micron", 0.001), (0, 1)])
def test_the_unit_of_length_is_heeded(tmp_path, unit, mm):
    image = placed(rigid(1))
    image.header.set_zooms((0.9, 1.1, 3.0))
    image.header.set_xyzt_units(unit)
    volume = read(image, tmp_path / "v.nii")
    np.testing.assert_allclose(volume.ijk_to_ras[:3], mm * rigid(1)[:3], rtol=1e-5, atol=1e-5 * mm)
    image.header["sform_code"] = 0
    assert read(image, tmp_path / "nowhere.nii").spacing == pytest.approx((0.9 * mm, 1.1 * mm, 3.0 * mm), rel=1e-6)
    moved = rigid(1)
    moved[0, 3] += 40
    image.header.set_qform(moved, 1)
    image.header["sform_code"] = 1
    assert f"disagree by up to {40 * mm:.3g} mm" in read(image, tmp_path / "twice.nii").notes[0]


def test_gzip_under_a_plain_name_and_a_plain_file_under_a_gzip_name_are_read(tmp_path):
    nibabel.save(nibabel.Nifti1Image(VALUES, rigid(1)), tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "packed.nii").write_bytes(gzip.compress(content))
    (tmp_path / "plain.NII.GZ").write_bytes(content)
    for name in ("packed.nii", "plain.NII.GZ"):
        np.testing.assert_array_equal(read_volume(tmp_path / name).voxels, VALUES.T)


def test_a_pair_of_header_and_image_is_read_by_either_name(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(VALUES, rigid(1)), tmp_path / "v.img")
    for name in ("v.hdr", "v.img"):
        volume = read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.voxels, VALUES.T)
        np.testing.assert_allclose(volume.ijk_to_ras, rigid(1), atol=1e-5)
    (tmp_path / "v.img").rename(tmp_path / "w.img")
    for name, reason in (("v.hdr", "no voxels"), ("w.img", "no header")):
        with pytest.raises(InputError, match=reason):
            read_volume(tmp_path / name)


def test_analyze_is_read_and_says_that_its_orientation_is_not_known(tmp_path, capfd):
    nibabel.save(nibabel.AnalyzeImage(VALUES, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / "v.img")
    for name in ("v.hdr", "v.img"):
        volume = read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.voxels, VALUES.T)
        np.testing.assert_allclose(volume.spacing, (1, 2, 3))
        assert "does not say its orientation" in volume.notes[0]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_number_type_of_either_byte_order_is_read(tmp_path, dtype, order):
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(dtype)
    volume = read(nibabel.Nifti1Image(values, np.eye(4), header, dtype=dtype), tmp_path / "v.nii")
    assert volume.voxels.dtype == np.dtype(dtype) and volume.voxels.dtype.isnative
    np.testing.assert_array_equal(volume.voxels, values.T)


@pytest.mark.parametrize(
    "slope, intercept, expected",
    [(1, 0, VALUES), (0, 7, VALUES), (np.nan, np.nan, VALUES), (0.5, -3, VALUES * 0.5 - 3), (1, -1024, VALUES - 1024)],
)
def test_values_are_scaled_as_the_header_says(tmp_path, slope, intercept, expected):
    nibabel.save(nibabel.Nifti1Image(VALUES, np.eye(4)), tmp_path / "v.nii")
    content = bytearray((tmp_path / "v.nii").read_bytes())
    content[112:120] = struct.pack("<ff", slope, intercept)
    (tmp_path / "v.nii").write_bytes(content)
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nii").voxels, np.asarray(expected).T)


def test_voxels_that_are_no_numbers_stay_so(tmp_path):
    values = np.ones((3, 4, 5), np.float32)
    values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
    np.testing.assert_array_equal(read(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "v.nii.gz").voxels, values.T)


@pytest.mark.parametrize(
    "shape, reason",
    [
        ((4, 5, 6, 7), r"a series of 7 volumes \(4-D\)"),
        ((4, 5, 6, 3, 2), r"a series of 3 x 2 = 6 volumes \(5-D\)"),
        ((4, 5, 6, 1, 1, 2), r"a series of 2 volumes \(6-D\)"),
        ((4, 5, 6, 1, 6), "has 6 components per voxel"),
    ],
)
def test_dimensions_are_counted_right(tmp_path, shape, reason):
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), tmp_path / "v.nii.gz")
    with pytest.raises(InputError, match=reason) as caught:
        read_volume(tmp_path / "v.nii.gz")
    assert "\n" not in str(caught.value) and "v.nii.gz" in str(caught.value)


def test_one_volume_in_five_dimensions_and_one_slice_in_two_are_volumes(tmp_path):
    volume = read(nibabel.Nifti1Image(VALUES[..., None, None], rigid(1)), tmp_path / "v.nii")
    np.testing.assert_array_equal(volume.voxels, VALUES.T)
    volume = read(nibabel.Nifti1Image(VALUES[:, :, 0], rigid(1)), tmp_path / "v.nii")
    np.testing.assert_array_equal(volume.voxels[0], VALUES[:, :, 0].T)
    np.testing.assert_allclose(volume.ijk_to_ras[:3, :2], rigid(1)[:3, :2], atol=1e-5)


@pytest.mark.parametrize("dtype", [np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]], ids=["complex", "colour"])
def test_complex_numbers_and_colours_are_refused_by_name(tmp_path, dtype):
    values = np.zeros((3, 4, 5), dtype)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "v.nii")
    with pytest.raises(InputError, match="components per voxel"):
        read_volume(tmp_path / "v.nii")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("left", [0.99, 0.5, 0.1])
def test_a_file_that_is_cut_short_is_refused(tmp_path, suffix, left):
    values = np.random.default_rng(0).integers(0, 30000, (20, 20, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"v{suffix}")
    content = (tmp_path / f"v{suffix}").read_bytes()
    (tmp_path / f"v{suffix}").write_bytes(content[: int(left * len(content))])
    with pytest.raises(InputError, match="cut short"):
        read_volume(tmp_path / f"v{suffix}")


def test_a_byte_changed_within_gzip_is_found(tmp_path):
    values = np.random.default_rng(0).integers(0, 30000, (20, 20, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "v.nii.gz")
    content = bytearray((tmp_path / "v.nii.gz").read_bytes())
    content[-6] ^= 1  # within the checksum
    (tmp_path / "v.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match=ONE_SENTENCE):
        read_volume(tmp_path / "v.nii.gz")


@given(st.binary(max_size=360), st.integers(0, 347), st.binary(min_size=1, max_size=40))
def test_no_header_whatever_ends_in_anything_but_a_volume_or_one_sentence(tmp_path, tail, at, change):
    content = bytearray(placed(rigid(1)).to_bytes())
    content[at : at + len(change)] = change
    (tmp_path / "v.nii").write_bytes(bytes(content) + tail)
    try:
        assert isinstance(read_volume(tmp_path / "v.nii"), Volume)
    except InputError as error:
        assert "\n" not in str(error)
