"""Where the voxels lie: where every file says that its own do, or the stack is refused."""

import numpy as np
import pytest
import SimpleITK as sitk

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.headers import headers_in
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.volume import LPS_TO_RAS

TILT = np.radians(20)
OBLIQUE = (0.96, 0.28, 0.0, -0.28 * np.cos(0.5), 0.96 * np.cos(0.5), -np.sin(0.5))


def refusal(path, **choice):
    """Return the one sentence by which reading a path is refused."""
    with pytest.raises(InputError, match=r"^[^\n]+; [^\n]+\.$") as caught:
        read_volume(path, **choice)
    return str(caught.value)


def off_place(folder, volume):
    """Return how far, in mm, the volume's slice of an image lies at most from where the image's file says."""
    stated = np.array([header.get("ImagePositionPatient") for header in headers_in(folder)], float)
    matrix = LPS_TO_RAS @ volume.ijk_to_ras
    placed = np.array([(matrix @ [0, 0, k, 1])[:3] for k in range(volume.dimensions[2])])
    return max(np.linalg.norm(placed - position, axis=1).min() for position in stated)


def test_an_oblique_series_lies_where_itk_puts_it(write_axial, tmp_path):
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    places = [list(np.round([-7, 3, 11] + n * 2.2 * normal, 9)) for n in (3, 0, 2, 1)]
    write_axial(tmp_path, range(4), each=lambda n: {"position": places[n]}, ImageOrientationPatient=list(OBLIQUE))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.voxels, sitk.GetArrayFromImage(image))
    matrix = LPS_TO_RAS @ volume.ijk_to_ras
    np.testing.assert_array_equal(matrix[:3, 3], image.GetOrigin())
    directions = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    np.testing.assert_allclose(matrix[:3, :3], directions, rtol=0, atol=1e-14)
    assert off_place(tmp_path, volume) < 1e-6


def test_a_tilted_gantry_leaves_a_shear(write_axial, tmp_path, ramp):
    leaning = (1, 0, 0, 0, np.cos(TILT), -np.sin(TILT))
    write_axial(tmp_path, [0, 3, 6, 9], "CT", ImageOrientationPatient=list(leaning))
    volume = read_volume(tmp_path)
    assert volume.is_sheared
    np.testing.assert_allclose(volume.ijk_to_ras[:3, 2], [0, 0, 3], atol=1e-9)
    np.testing.assert_allclose(volume.ijk_to_ras[:3, 1], [0, -0.5 * np.cos(TILT), -0.5 * np.sin(TILT)], atol=1e-9)
    assert off_place(tmp_path, volume) < 1e-6
    np.testing.assert_array_equal(volume.voxels[3], ramp(3))


@pytest.mark.parametrize(
    "heights, words",
    [
        ([0, 3, 6, 12, 15], "lacks a slice"),
        ([0, 3, 6, 15, 18], "lacks 2 slices"),
        (np.cumsum([0] + [1.0] * 8 + [1.09] * 8), "uneven distances, 1.00 to 1.09 mm apart"),
        ([0, 3, 6.5, 9, 12], "uneven distances"),
    ],
    ids=["one missing", "two missing", "growing", "one moved"],
)
def test_slices_that_are_not_even_are_refused_with_their_distances(write_axial, tmp_path, heights, words):
    assert words in refusal(write_axial(tmp_path, heights))


def test_slices_that_a_patient_shifted_sideways_are_refused(write_axial, tmp_path):
    write_axial(tmp_path, np.arange(8) * 3.0, each=lambda n: {"position": (-10 + 1.2 * (n >= 4), -20, 3.0 * n)})
    assert "shifted sideways" in refusal(tmp_path)


@pytest.mark.parametrize("jitter", [0.002, 0.04], ids=["rounding", "nearly even"])
def test_slices_that_are_nearly_even_lie_within_a_tenth_of_a_mm(write_axial, tmp_path, jitter):
    heights = np.arange(9) * 1.5 + jitter * np.array([0, 1, -1, 1, 0, -1, 1, -1, 0])
    volume = read_volume(write_axial(tmp_path, heights))
    assert not volume.is_sheared
    assert off_place(tmp_path, volume) < 1.5 * jitter


def test_two_images_beside_each_other_are_no_stack(write_axial, tmp_path):
    write_axial(tmp_path, [0, 1], each=lambda n: {"position": (40 * n, 0, n)})
    assert "beside each other" in refusal(tmp_path)


def test_orientations_that_differ_in_the_eighth_digit_are_one(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3, 6], each=lambda n: {"ImageOrientationPatient": [1, 1e-8 * n, 0, 0, 1, 2e-8 * n]})
    assert read_volume(tmp_path).dimensions == (5, 6, 3)


def test_planes_of_a_localizer_are_counted(write_axial, tmp_path):
    planes = [(1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)]
    write_axial(tmp_path, [0] * 6, each=lambda n: {"ImageOrientationPatient": list(planes[n % 3])})
    assert "6 images in 3 orientations" in refusal(tmp_path) and "localizer" in refusal(tmp_path)


@pytest.mark.parametrize("count, words", [(3, "radial"), (7, "projections")])
def test_images_that_turn_about_an_axis_are_called_so(write_axial, tmp_path, count, words):
    turns = [[np.cos(angle), np.sin(angle), 0, 0, 0, -1] for angle in np.arange(count) * 0.4]
    write_axial(tmp_path, range(count), each=lambda n: {"ImageOrientationPatient": turns[n]})
    assert f"{count} orientations, turned about one axis" in refusal(tmp_path) and words in refusal(tmp_path)


@pytest.mark.parametrize(
    "missing, words",
    [
        ({"ImagePositionPatient": None}, "ImagePositionPatient"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient"),
        ({"PixelSpacing": None}, "PixelSpacing"),
        ({"ImageOrientationPatient": [0] * 6}, "not at right angles"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_image_without_its_place_is_named(write_axial, tmp_path, missing, words):
    write_axial(tmp_path, [0, 3, 6], each=lambda n: missing if n == 1 else {})
    assert words in refusal(tmp_path) and "001.dcm" in refusal(tmp_path)


def test_one_slice_is_as_thick_as_it_says_where_it_has_no_neighbours(write_image, tmp_path):
    write_image(tmp_path / "thick.dcm", 0, (0, 0, 0))
    write_image(tmp_path / "apart.dcm", 0, (0, 0, 0), SpacingBetweenSlices=-3)
    assert read_volume(tmp_path / "thick.dcm").spacing[2] == 2.5
    assert read_volume(tmp_path / "apart.dcm").spacing[2] == 3


def test_images_of_two_sizes_name_the_odd_one(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3, 6], each=lambda n: {"pixels": np.ones((4, 4), np.int16)} if n == 2 else {})
    assert "4 x 4 pixels" in refusal(tmp_path) and "002.dcm" in refusal(tmp_path)


def test_the_stacking_axis_and_the_thickness_are_the_volumes(write_axial, tmp_path):
    volume = read_volume(write_axial(tmp_path, [0, 0.3, 0.6]))
    assert (volume.slice_axis, volume.slice_thickness, volume.modality) == (2, 2.5, "MR")
