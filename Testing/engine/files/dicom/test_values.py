"""What the voxels are: in true units, image by image, in a type that holds them all."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume


def test_every_image_of_a_pet_has_its_own_slope(write_axial, tmp_path, ramp):
    slopes = [1.0, 2.5, 0.125]
    write_axial(tmp_path, [0, 3, 6], "PT", lambda n: {"RescaleSlope": slopes[n], "RescaleIntercept": 0})
    voxels = read_volume(tmp_path).voxels
    assert voxels.dtype == np.float64
    np.testing.assert_array_equal(voxels, np.stack([ramp(n) * slopes[n] for n in range(3)]))


@pytest.mark.parametrize("stored", [np.uint16, np.int16])
def test_intercepts_that_differ_leave_integers(write_axial, tmp_path, ramp, stored):
    intercepts = [0, -1024, -1000]
    write_axial(
        tmp_path,
        [0, 3, 6],
        "CT",
        lambda n: {"RescaleSlope": 1, "RescaleIntercept": intercepts[n], "pixels": ramp(n, stored)},
    )
    voxels = read_volume(tmp_path).voxels
    assert voxels.dtype == np.int32
    np.testing.assert_array_equal(voxels, np.stack([ramp(n) + intercepts[n] for n in range(3)]))


def test_unsigned_and_signed_images_of_one_series_keep_their_values(write_axial, tmp_path):
    pixels = [np.full((6, 5), 60000, np.uint16), np.full((6, 5), -1000, np.int16), np.full((6, 5), 7, np.int16)]
    write_axial(tmp_path, [0, 3, 6], "CT", lambda n: {"pixels": pixels[n]})
    voxels = read_volume(tmp_path).voxels
    assert voxels.dtype == np.int32
    assert voxels[:, 0, 0].tolist() == [60000, -1000, 7]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_how_an_image_is_shown_does_not_change_its_values(write_axial, tmp_path, ramp, photometric):
    write_axial(tmp_path, [0, 3], "CT", PhotometricInterpretation=photometric, RescaleIntercept=-1000, RescaleSlope=1)
    np.testing.assert_array_equal(read_volume(tmp_path).voxels[1], ramp(1) - 1000)


def test_a_signed_volume_of_12_bits_has_its_sign(write_axial, tmp_path):
    pixels = np.array([[0x0FFF, 0x0001, 0x07FF, 0x0800, 0xF001]] * 6, np.uint16)
    write_axial(tmp_path, [0, 3], pixels=pixels, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert read_volume(tmp_path).voxels[1, 2].tolist() == [-1, 1, 2047, -2048, 1]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("slope, intercept", [(1, 0), (1, -1024), (2, 0), (1, 10), (0.5, 0), (3, -5), (-1, 0), (0, 0)])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_one_scale_for_all_images_gives_what_itk_gives(write_axial, tmp_path, ramp, bits, slope, intercept, signed):
    pixels = [(ramp(n) - 60 * signed).astype(f"{'' if signed else 'u'}int{bits}") for n in range(3)]
    write_axial(
        tmp_path, [0, 3, 6], "CT", lambda n: {"pixels": pixels[n]}, RescaleSlope=slope, RescaleIntercept=intercept
    )
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sorted(map(str, tmp_path.iterdir())))
    expected = sitk.GetArrayFromImage(reader.Execute())
    voxels = read_volume(tmp_path).voxels
    assert voxels.dtype == expected.dtype
    np.testing.assert_array_equal(voxels, expected)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_the_same_image_in_another_transfer_syntax_has_the_same_voxels(name):
    plain = read_volume(get_testdata_file("MR_small.dcm"))
    other = read_volume(get_testdata_file(name))
    assert other.voxels.dtype == plain.voxels.dtype
    np.testing.assert_array_equal(other.voxels, plain.voxels)
    np.testing.assert_array_equal(other.ijk_to_ras, plain.ijk_to_ras)


def test_a_deflated_file_is_read(write_image, tmp_path, ramp):
    path = write_image(tmp_path / "plain.dcm", 1, (0, 0, 0))
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "deflated.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "deflated.dcm").voxels[0], ramp(1))


def test_a_compressed_image_keeps_its_units_whatever_it_is_shown_as(tmp_path):
    data = pydicom.dcmread(get_testdata_file("MR_small_RLE.dcm"))
    data.PhotometricInterpretation, data.RescaleSlope, data.RescaleIntercept = "MONOCHROME1", 0.5, -3
    data.save_as(tmp_path / "a.dcm")
    stored = read_volume(get_testdata_file("MR_small.dcm")).voxels
    np.testing.assert_array_equal(read_volume(tmp_path / "a.dcm").voxels, 0.5 * stored - 3)


def test_a_modality_lut_is_refused_by_name(write_axial, tmp_path):
    lut = pydicom.Dataset()
    lut.LUTDescriptor, lut.ModalityLUTType, lut.LUTData = [2, 0, 16], "US", bytes(4)
    write_axial(tmp_path, [0, 3], ModalityLUTSequence=[lut])
    with pytest.raises(InputError, match=r"Modality LUT.*; [^\n]+\.$"):
        read_volume(tmp_path)


@pytest.mark.parametrize("vr, stated", [("SS", -2000), ("US", 63536)])
@pytest.mark.parametrize("syntax", ["ExplicitVRLittleEndian", "ImplicitVRLittleEndian"])
def test_padding_is_stated_in_the_units_of_the_voxels_whatever_its_sign(write_axial, tmp_path, vr, stated, syntax):
    pixels = np.full((6, 5), -2000, np.int16)
    write_axial(tmp_path, [0, 3], "CT", pixels=pixels, RescaleSlope=2, RescaleIntercept=-24)
    for path in tmp_path.iterdir():
        data = pydicom.dcmread(path)
        data.add_new("PixelPaddingValue", vr, stated)
        data.file_meta.TransferSyntaxUID = syntax_uid = getattr(pydicom.uid, syntax)
        data.save_as(path, implicit_vr=syntax_uid.is_implicit_VR, little_endian=True)
    volume = read_volume(tmp_path)
    assert volume.padding == ((-4024.0, -4024.0),)
    assert (volume.voxels == -4024).all()


def test_padding_may_be_a_range_and_differ_with_the_scale_of_an_image(write_axial, tmp_path, ramp):
    intercepts = [0, -1024, 0]
    write_axial(
        tmp_path,
        [0, 3, 6],
        "CT",
        lambda n: {"RescaleSlope": 1, "RescaleIntercept": intercepts[n], "pixels": ramp(n, np.uint16)},
        PixelPaddingValue=60000,
        PixelPaddingRangeLimit=50000,
    )
    assert read_volume(tmp_path).padding == ((48976.0, 58976.0), (50000.0, 60000.0))


def test_images_that_state_no_padding_have_none(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3])
    assert read_volume(tmp_path).padding == ()


@pytest.mark.filterwarnings("ignore")
def test_a_jpeg_of_12_bits_is_read_without_its_librarys_words(tmp_path, capfd):
    data = pydicom.dcmread(get_testdata_file("JPGExtended.dcm"))
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing = [1, 1]
    data.save_as(tmp_path / "twelve.dcm")
    voxels = read_volume(tmp_path / "twelve.dcm").voxels
    assert voxels.shape == (1, 1024, 256) and 255 < voxels.max() < 4096
    assert capfd.readouterr() == ("", "")
