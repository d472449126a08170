"""Volume, its boxes, and the half-voxel rule."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import Volume, refined_matrix

numbers = st.floats(-1, 1).map(lambda value: round(value, 6))


@st.composite
def matrices(draw):
    """Turned, mirrored and sheared IJK to RAS matrices of 0.2 to 6 mm spacing."""
    axes = np.array(draw(st.lists(numbers, min_size=9, max_size=9))).reshape(3, 3)
    lengths = np.linalg.norm(axes, axis=0)
    assume(lengths.min() > 0.1)
    axes = axes / lengths
    assume(abs(np.linalg.det(axes)) > 0.1)
    matrix = np.eye(4)
    matrix[:3, :3] = axes * draw(st.lists(st.floats(0.2, 6), min_size=3, max_size=3))
    matrix[:3, 3] = draw(st.lists(st.floats(-400, 400), min_size=3, max_size=3))
    return matrix


sizes = st.tuples(*[st.integers(1, 9)] * 3)
factors = st.tuples(*[st.sampled_from([1, 2, 4, 8])] * 3)


def empty(dimensions, matrix) -> Volume:
    return Volume(np.zeros(dimensions[::-1], np.int16), matrix)


@given(matrices(), sizes, factors)
def test_refined_voxels_fill_the_same_box_to_a_millionth_of_a_mm(matrix, dimensions, scale):
    coarse = empty(dimensions, matrix)
    fine = empty(np.multiply(dimensions, scale), refined_matrix(matrix, scale))
    np.testing.assert_allclose(fine.ras_bounds(), coarse.ras_bounds(), atol=1e-6, rtol=0)
    np.testing.assert_allclose(fine.spacing, np.divide(coarse.spacing, scale), rtol=1e-9)


@given(matrices(), factors, sizes)
def test_a_coarse_voxel_lies_at_the_centre_of_the_fine_voxels_under_it(matrix, scale, index):
    first = np.multiply(index, scale)
    centre_of_fine = first + (np.array(scale) - 1) / 2
    fine = refined_matrix(matrix, scale) @ [*centre_of_fine, 1]
    np.testing.assert_allclose(fine, matrix @ [*index, 1], atol=1e-9)


@given(matrices(), factors)
def test_refinement_keeps_the_handedness_and_degradation_undoes_it(matrix, scale):
    fine = refined_matrix(matrix, scale)
    assert np.sign(np.linalg.det(fine[:3, :3])) == np.sign(np.linalg.det(matrix[:3, :3]))
    np.testing.assert_allclose(refined_matrix(fine, 1 / np.array(scale)), matrix, atol=1e-9)


def test_refinement_moves_voxel_0_by_the_half_voxel_rule():
    fine = refined_matrix(np.diag([2.0, 3.0, 5.0, 1.0]), (4, 2, 1))
    np.testing.assert_allclose(fine[:3, 3], [-0.375 * 2, -0.25 * 3, 0])
    np.testing.assert_allclose(np.diag(fine), [0.5, 1.5, 5, 1])


def test_bounds_are_those_of_the_voxels_not_of_their_centres():
    volume = empty((4, 3, 2), np.diag([1.0, -2.0, 3.0, 1.0]))
    np.testing.assert_allclose(volume.ras_bounds(), [[-0.5, -5, -1.5], [3.5, 1, 4.5]])
    assert volume.dimensions == (4, 3, 2)
    assert volume.spacing == (1, 2, 3)


def test_a_volume_cannot_be_changed():
    source = np.ones((2, 3, 4), np.int16)
    matrix = np.eye(4)
    volume = Volume(source, matrix)
    matrix[0, 0] = 7
    assert volume.ijk_to_ras[0, 0] == 1
    with pytest.raises(ValueError):
        volume.voxels[0, 0, 0] = 5
    with pytest.raises(ValueError):
        volume.ijk_to_ras[0, 0] = 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        volume.voxels = source
    source[0, 0, 0] = 2  # the caller's own array stays the caller's


@pytest.mark.parametrize(
    "voxels, matrix",
    [
        (np.ones((3, 3)), np.eye(4)),
        (np.ones((3, 3, 3, 3)), np.eye(4)),
        (np.ones((0, 3, 3)), np.eye(4)),
        (np.ones((3, 3, 3), bool), np.eye(4)),
        (np.ones((3, 3, 3), complex), np.eye(4)),
        (np.ones((3, 3, 3)), np.diag([1.0, 0, 1, 1])),
        (np.ones((3, 3, 3)), np.diag([1.0, np.nan, 1, 1])),
        (np.ones((3, 3, 3)), np.eye(3)),
    ],
    ids=["2-D", "4-D", "empty", "bool", "complex", "singular", "NaN matrix", "3x3 matrix"],
)
def test_what_is_not_a_volume_is_the_users_to_mend(voxels, matrix):
    with pytest.raises(InputError, match=r"^[^\n]+; [^\n]+\.$"):
        Volume(voxels, matrix)


@pytest.mark.parametrize(("lowest", "magnitude"), [(0, True), (3, True), (-1, False)])
def test_an_image_without_negative_voxels_is_a_magnitude(lowest, magnitude):
    voxels = np.full((2, 3, 4), 5, np.int16)
    voxels[1, 2, 3] = lowest
    assert Volume(voxels, np.eye(4)).is_magnitude is magnitude


@pytest.mark.parametrize("shear, sheared", [(0.0, False), (0.0005, False), (0.02, True)])
def test_shear_is_noticed(shear, sheared):
    matrix = np.diag([1.0, 2.0, 3.0, 1.0])
    matrix[0, 1] = 2 * shear
    assert empty((2, 2, 2), matrix).is_sheared == sheared


@given(matrices(), sizes, st.data())
def test_cropped_voxels_stay_in_place(matrix, dimensions, data):
    first = tuple(data.draw(st.integers(0, size - 1)) for size in dimensions)
    last = tuple(data.draw(st.integers(low + 1, size)) for low, size in zip(first, dimensions))
    voxels = np.arange(np.prod(dimensions), dtype=np.int16).reshape(dimensions[::-1])
    part = Volume(voxels, matrix, "CT").cropped(first, last)
    assert part.dimensions == tuple(high - low for low, high in zip(first, last))
    assert part.voxels[0, 0, 0] == voxels[first[::-1]]
    assert part.voxels[-1, -1, -1] == voxels[tuple(high - 1 for high in last)[::-1]]
    assert part.modality == "CT"
    np.testing.assert_allclose(part.ijk_to_ras @ [0, 0, 0, 1], matrix @ [*first, 1], atol=1e-9)


@given(matrices(), sizes, st.data())
def test_a_regions_box_holds_every_voxel_that_the_region_touches(matrix, dimensions, data):
    volume = empty(dimensions, matrix)
    centre = [data.draw(st.floats(-0.4, size - 0.6)) for size in dimensions]
    middle = (matrix @ [*centre, 1])[:3]
    half = np.array([data.draw(st.floats(0.1, 8)) for _ in range(3)])
    first, last = Grid.of(volume).box_of_region((*(middle - half), *(middle + half)))
    for share in itertools.product(np.linspace(-1, 1, 5), repeat=3):
        index = np.linalg.solve(matrix, [*(middle + half * share), 1])[:3]
        voxel = np.rint(index)
        inside = (voxel >= 0).all() and (voxel < dimensions).all()
        if inside and np.abs(index - voxel).max() < 0.499:
            assert (voxel >= first).all() and (voxel < last).all()


@pytest.mark.parametrize("mirrored", [1, -1])
def test_a_regions_box_of_an_upright_volume_is_exact_whichever_corner_comes_first(mirrored):
    volume = empty((10, 8, 6), np.diag([mirrored * 1.0, 2.0, 3.0, 1.0]))
    wanted = volume.cropped((2, 3, 1), (5, 4, 6)).ras_bounds()
    assert Grid.of(volume).box_of_region((*wanted[0], *wanted[1])) == ((2, 3, 1), (5, 4, 6))
    assert Grid.of(volume).box_of_region((*wanted[1], *wanted[0])) == ((2, 3, 1), (5, 4, 6))
    shrunk = wanted + [[0.01] * 3, [-0.01] * 3]
    assert Grid.of(volume).box_of_region(tuple(shrunk.ravel())) == ((2, 3, 1), (5, 4, 6))
    grown = wanted + [[-0.01] * 3, [0.01] * 3]
    assert Grid.of(volume).box_of_region(tuple(grown.ravel())) == ((1, 2, 0), (6, 5, 6))


@pytest.mark.parametrize("reach", [1e3, 1e30])
def test_a_region_that_is_far_too_large_is_the_whole_volume(reach):
    volume = empty((10, 8, 6), np.eye(4))
    assert Grid.of(volume).box_of_region((-reach,) * 3 + (reach,) * 3) == ((0, 0, 0), (10, 8, 6))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_region_beside_the_volume_is_an_input_error(axis):
    volume = empty((10, 8, 6), np.eye(4))
    region = [0.0, 0, 0, 2, 2, 2]
    region[axis], region[axis + 3] = 20, 30
    with pytest.raises(InputError, match="does not touch"):
        Grid.of(volume).box_of_region(tuple(region))


def test_printed_a_volume_is_one_line_in_words():
    volume = Volume(np.zeros((44, 256, 200), np.int16), np.diag([-0.9, -0.9, 3.0, 1.0]), "MR")
    assert repr(volume) == "Volume of 200 x 256 x 44 voxels, 0.9 x 0.9 x 3 mm, int16, axes to LPS, MR"


def test_an_array_alone_makes_a_volume_with_its_axes_to_ras():
    volume = Volume.of(np.zeros((4, 5, 6), np.float32), spacing=(1, 2, 3))
    np.testing.assert_array_equal(volume.ijk_to_ras, np.diag([1, 2, 3, 1]))
    assert (volume.dimensions, volume.orientation) == ((6, 5, 4), "RAS")
    for wrong in ((1, 1), (1, 0, 1), (1, -1, 1), (1, float("nan"), 1), (1, float("inf"), 1)):
        with pytest.raises(InputError, match="three positive numbers"):
            Volume.of(np.zeros((4, 5, 6)), spacing=wrong)


@given(matrices())
def test_each_anatomical_axis_is_named_once_whichever_way_a_volume_lies(matrix):
    letters = empty((2, 2, 2), matrix).orientation
    assert sorted("RL".find(c) >= 0 and "R" or "AP".find(c) >= 0 and "A" or "S" for c in letters) == ["A", "R", "S"]
