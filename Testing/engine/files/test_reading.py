"""Files in: their values and matrices, and what is refused."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import image_from_volume, write_volume
from SuperResolutionLib.geometry.volume import Volume

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"
NIBABEL_IMAGES = Path(nibabel.__file__).parent / "tests" / "data"


@pytest.mark.parametrize("name, modality", [("MR_small.dcm", "MR"), ("CT_small.dcm", "CT")])
def test_a_single_dicom_file_is_read_with_its_modality_and_units(name, modality):
    volume = read_volume(get_testdata_file(name))
    data = pydicom.dcmread(get_testdata_file(name))
    assert volume.modality == modality
    offset = float(data.get("RescaleIntercept", 0))
    np.testing.assert_array_equal(volume.voxels[0], data.pixel_array + offset)
    assert volume.voxels.dtype.kind in "iu"


def test_a_2d_image_becomes_one_slice(tmp_path):
    image = sitk.GetImageFromArray(np.arange(30, dtype=np.uint8).reshape(5, 6))
    image.SetSpacing((0.5, 0.25))
    sitk.WriteImage(image, str(tmp_path / "slice.mha"))
    volume = read_volume(tmp_path / "slice.mha")
    assert volume.dimensions == (6, 5, 1)
    np.testing.assert_allclose(volume.spacing[:2], (0.5, 0.25))


def test_a_4d_image_of_one_volume_is_that_volume(tmp_path, phantom):
    image = sitk.JoinSeries(image_from_volume(phantom))
    sitk.WriteImage(image, str(tmp_path / "one.nrrd"))
    read = read_volume(tmp_path / "one.nrrd")
    np.testing.assert_array_equal(read.voxels, phantom.voxels)
    np.testing.assert_allclose(read.ijk_to_ras, phantom.ijk_to_ras)


def _vector(folder):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.float32), isVector=True), str(folder / "f.nrrd"))
    return folder / "f.nrrd"


def _colour(folder):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6, 3), np.uint8), isVector=True), str(folder / "f.png"))
    return folder / "f.png"


def _complex(folder):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), np.complex64), np.eye(4)), folder / "f.nii")
    return folder / "f.nii"


def _text(folder):
    (folder / "f.nrrd").write_text("Dear colleague, please find the scan attached.\n")
    return folder / "f.nrrd"


def _no_bytes(folder):
    (folder / "f.nii.gz").write_bytes(b"")
    return folder / "f.nii.gz"


def _no_voxels(folder):
    (folder / "f.nrrd").write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 0 4 4\nencoding: raw\n\n")
    return folder / "f.nrrd"


def _missing(folder):
    return folder / "f.nrrd"


def _cut(suffix):
    def write(folder):
        voxels = np.random.default_rng(0).integers(0, 30000, (8, 40, 40)).astype(np.int16)
        write_volume(Volume(voxels, np.eye(4)), folder / f"f{suffix}")
        content = (folder / f"f{suffix}").read_bytes()
        (folder / f"f{suffix}").write_bytes(content[: len(content) // 2])
        return folder / f"f{suffix}"

    write.__name__ = f"_cut{suffix}"
    return write


@pytest.mark.parametrize(
    "write",
    [
        *(_vector, _colour, _complex, _text, _no_bytes, _no_voxels, _missing),
        *(_cut(suffix) for suffix in (".nrrd", ".nii.gz", ".nii", ".mha")),
    ],
    ids=lambda write: write.__name__.strip("_"),
)
def test_a_file_that_is_no_grey_scale_volume_is_an_input_error_that_names_it(tmp_path, write):
    path = write(tmp_path)
    with pytest.raises(InputError, match=ONE_SENTENCE) as caught:
        read_volume(path)
    assert path.name in str(caught.value)


def _folderless(folder):
    (folder / "f.nrrd").symlink_to(folder / "not-here.nrrd")
    return folder / "f.nrrd"


@pytest.mark.parametrize(
    "write, reason",
    [
        (_text, "not an image that can be read"),
        (_no_bytes, "a file of 0 bytes"),
        (_no_voxels, "is empty"),
        (_folderless, "a link to a file that is not there"),
        (_vector, "3 components per voxel"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_refusal_gives_the_real_reason_and_no_readers_words_around_it(tmp_path, capfd, write, reason):
    with pytest.raises(InputError, match=reason):
        read_volume(write(tmp_path))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nhdr", ".nrrd", ".gipl"])
def test_voxels_that_are_cut_short_are_refused_without_readers_words(tmp_path, phantom, capfd, suffix):
    sitk.WriteImage(image_from_volume(phantom), str(tmp_path / f"f{suffix}"))
    largest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-5000])
    with pytest.raises(InputError, match="cut short"):
        read_volume(tmp_path / f"f{suffix}")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_voxels_that_are_not_beside_their_header_are_named(tmp_path, phantom, suffix):
    sitk.WriteImage(image_from_volume(phantom), str(tmp_path / f"f{suffix}"))
    (tmp_path / "f.raw").unlink()
    with pytest.raises(InputError, match="f.raw, which is not there"):
        read_volume(tmp_path / f"f{suffix}")


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nhdr", ".gipl", ".nii", ".nii.gz"])
def test_names_in_capitals_are_read(tmp_path, phantom, suffix):
    sitk.WriteImage(image_from_volume(phantom), str(tmp_path / f"f{suffix}"))
    (tmp_path / f"f{suffix}").rename(tmp_path / f"F{suffix.upper()}")
    np.testing.assert_array_equal(read_volume(tmp_path / f"F{suffix.upper()}").voxels, phantom.voxels)


@pytest.mark.parametrize("units, mm", [("um", 1e-3), ("µm", 1e-3), ("cm", 10), ("mm", 1), ("m", 1000)])
def test_the_space_units_of_an_nrrd_are_heeded(tmp_path, units, mm):
    header = [
        *("NRRD0005", "type: short", "dimension: 3", "space: right-anterior-superior", "sizes: 4 3 2", "encoding: raw"),
        *("endian: little", "space directions: (1,0,0) (0,2,0) (0,0,3)", "space origin: (4,5,6)"),
        *(" ".join(["space units:", *[f'"{units}"'] * 3]), "", ""),
    ]
    (tmp_path / "f.nrrd").write_bytes("\n".join(header).encode() + bytes(48))
    volume = read_volume(tmp_path / "f.nrrd")
    expected = np.array([[1, 0, 0, 4], [0, 2, 0, 5], [0, 0, 3, 6]]) * mm
    np.testing.assert_allclose(volume.ijk_to_ras[:3], expected)
    assert volume.notes == ()


def test_an_nrrd_of_several_units_is_refused_and_one_without_a_space_says_so(tmp_path):
    start = "NRRD0005\ntype: short\ndimension: 3\nsizes: 4 3 2\nencoding: raw\nendian: little\nspacings: 1 1 3\n"
    (tmp_path / "f.nrrd").write_bytes(f"{start}\n".encode() + bytes(48))
    assert "does not say its orientation" in read_volume(tmp_path / "f.nrrd").notes[0]
    (tmp_path / "f.nrrd").write_bytes(f'{start}units: "mm" "um" "mm"\n\n'.encode() + bytes(48))
    with pytest.raises(InputError, match="several units"):
        read_volume(tmp_path / "f.nrrd")


def _metaimage(folder, *lines):
    start = "ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 4 3 2\nElementSpacing = 1 2 3\n"
    text = "\n".join([start + "Offset = 4 5 6", *lines, "ElementType = MET_SHORT", "ElementDataFile = LOCAL", ""])
    (folder / "f.mha").write_bytes(text.encode() + np.arange(24, dtype="<i2").tobytes())
    return read_volume(folder / "f.mha")


@pytest.mark.parametrize("unit, mm", [("um", 1e-3), ("mm", 1), ("cm", 10), ("?", 1)])
def test_the_distance_units_of_a_metaimage_are_heeded(tmp_path, unit, mm):
    volume = _metaimage(tmp_path, f"DistanceUnits = {unit}")
    np.testing.assert_allclose(volume.ijk_to_ras[:3], np.array([[-1, 0, 0, -4], [0, -2, 0, -5], [0, 0, 3, 6]]) * mm)


def test_the_intensity_slope_of_a_metaimage_is_applied(tmp_path):
    lines = ("ElementToIntensityFunctionSlope = 0.5", "ElementToIntensityFunctionOffset = -50")
    volume = _metaimage(tmp_path, *lines)
    np.testing.assert_array_equal(volume.voxels, np.arange(24).reshape(2, 3, 4) * 0.5 - 50)
    assert _metaimage(tmp_path).voxels.dtype == np.int16
    with pytest.raises(InputError, match="intensity slope"):
        _metaimage(tmp_path, "ElementToIntensityFunctionSlope = steep")


def test_minc_is_refused_by_name(tmp_path):
    (tmp_path / "f.mnc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError, match="MINC") as caught:
        read_volume(tmp_path / "f.mnc")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("suffix", [".mgz", ".mgh", ".MGZ"])
def test_freesurfers_volumes_lie_where_nibabel_puts_them(tmp_path, dtype, suffix, oblique_phantom):
    values = (oblique_phantom.voxels.T % 200).astype(dtype)
    nibabel.save(nibabel.MGHImage(values, oblique_phantom.ijk_to_ras), tmp_path / f"f{suffix.lower()}")
    (tmp_path / f"f{suffix.lower()}").rename(tmp_path / f"g{suffix}")
    volume = read_volume(tmp_path / f"g{suffix}")
    np.testing.assert_array_equal(volume.voxels, values.T)
    np.testing.assert_allclose(volume.ijk_to_ras, oblique_phantom.ijk_to_ras, atol=1e-4)
    assert volume.notes == () and volume.voxels.dtype == dtype


def test_a_freesurfer_volume_without_a_place_says_so_and_what_is_none_is_refused(tmp_path, phantom):
    image = nibabel.MGHImage(phantom.voxels.T, np.eye(4))
    image.header["goodRASFlag"] = 0
    nibabel.save(image, tmp_path / "f.mgh")
    content = bytearray((tmp_path / "f.mgh").read_bytes())
    content[28:30] = b"\0\0"
    (tmp_path / "f.mgh").write_bytes(content)
    volume = read_volume(tmp_path / "f.mgh")
    np.testing.assert_array_equal(volume.ijk_to_ras[:3, :3], [[-1, 0, 0], [0, 0, 1], [0, -1, 0]])
    assert "does not say where it lies" in volume.notes[0]
    for change in (content[:1000], b"no such volume" * 100):
        (tmp_path / "f.mgh").write_bytes(change)
        with pytest.raises(InputError, match=r"f\.mgh is"):
            read_volume(tmp_path / "f.mgh")
    nibabel.save(nibabel.MGHImage(np.zeros((4, 5, 6, 3), np.float32), np.eye(4)), tmp_path / "f.mgz")
    with pytest.raises(InputError, match="3 volumes"):
        read_volume(tmp_path / "f.mgz")


@pytest.mark.parametrize("name", ["example4d.nii.gz", "functional.nii"])
def test_a_series_of_volumes_is_an_input_error(name):
    with pytest.raises(InputError, match="4-D"):
        read_volume(NIBABEL_IMAGES / name)


def test_nibabels_anatomical_image_is_read_as_nibabel_reads_it():
    ours, theirs = read_volume(NIBABEL_IMAGES / "anatomical.nii"), nibabel.load(NIBABEL_IMAGES / "anatomical.nii")
    np.testing.assert_array_equal(ours.voxels, np.asarray(theirs.dataobj).T)
    np.testing.assert_allclose(ours.ijk_to_ras, theirs.affine, atol=1e-5)
