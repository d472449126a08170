"""Which axes are refined, by what, and which wishes cannot be met."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.acquisition.acquired_band import AcquiredBand
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.plan import UpscaleRequest, plan_from_band, plan_upscale, slice_axis

ONE_SENTENCE = r"^[^\n]+[;:,] [^\n]+\.$"


def volume_of(spacing=(1, 1, 3), dimensions=(20, 18, 6)) -> Volume:
    return Volume(np.zeros(dimensions[::-1], np.int16), np.diag([*spacing, 1.0]))


def plan(volume, **wishes):
    return plan_upscale(volume, UpscaleRequest(**{"quality": "fast", **wishes}))


@pytest.mark.parametrize(
    "spacing, dimensions, axis",
    [
        ((1, 1, 3), (9, 9, 9), 2),
        ((3, 1, 1), (9, 9, 9), 0),
        ((1, 3, 1), (9, 9, 9), 1),
        ((1, 1, 1), (9, 9, 9), 2),
        ((0.9, 3, 3), (9, 9, 9), 2),
        ((3, 1, 3), (9, 9, 9), 2),
        ((1.0005, 1, 1), (9, 9, 9), 2),
        ((1.002, 1, 1), (9, 9, 9), 0),
        ((3, 3, 1), (9, 9, 1), 2),
        ((1, 3, 1), (9, 9, 1), 2),
    ],
)
def test_the_slice_axis_is_the_coarsest_one_and_k_where_it_ties_or_is_one_slice(spacing, dimensions, axis):
    assert slice_axis(volume_of(spacing, dimensions)) == axis


def test_the_slice_axis_does_not_depend_on_where_the_volume_points(oblique_phantom):
    assert slice_axis(oblique_phantom) == 2
    turned = Volume(oblique_phantom.voxels, oblique_phantom.ijk_to_ras[:, [2, 0, 1, 3]])
    assert slice_axis(turned) == 0


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("spacing, ones", [((1, 1, 3), 2), ((3, 1, 1), 0), ((1, 3, 1), 1), ((1, 1, 1), 2)])
def test_a_single_factor_refines_the_slice_plane(spacing, ones, factor):
    made = plan(volume_of(spacing), factor=factor)
    assert made.slice_axis == ones
    assert made.factors == tuple(1 if axis == ones else factor for axis in range(3))
    assert made.model.factor == factor
    assert made.final_spacing is None


@pytest.mark.parametrize("factor", [(4, 1, 4), (1, 2, 2), (2, 2, 1)])
def test_factors_per_axis_name_the_plane_themselves(factor):
    made = plan(volume_of(), factor=factor)
    assert made.factors == factor
    assert made.slice_axis == factor.index(1)


@pytest.mark.parametrize(
    "factor", [(4, 2, 1), (1, 1, 1), (0, 4, 4), (4, 4, -1), (1, 0, 0), (1, -4, -4), (1, 1, 2.5), (2, 2), (1, 2, 3)]
)
def test_factors_that_are_no_slice_plane_and_slice_axis_are_an_input_error(factor):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        plan(volume_of(), factor=factor)


@pytest.mark.parametrize("factor", [0, 1, 3, 5, -4, 1000, 2.5, (3, 3, 1)])
def test_a_factor_that_no_model_serves_is_an_input_error_that_names_those_there_are(factor):
    with pytest.raises(InputError, match=ONE_SENTENCE) as caught:
        plan(volume_of(), factor=factor)
    assert "x2" in str(caught.value) and "x4" in str(caught.value)


def test_a_named_model_must_have_the_factor_that_is_asked_for():
    with pytest.raises(InputError, match="upscales x2, not x4"):
        plan(volume_of(), model="mri-x2-compact", factor=4)


def test_without_a_wish_the_factor_is_the_models_or_4():
    assert plan(volume_of(), factor=None).factors == (4, 4, 1)
    assert plan(volume_of(), factor=None, model="mri-x2-compact").factors == (2, 2, 1)
    assert plan(volume_of(), factor=None, model="mri-through-plane").final_spacing == (1, 1, 1)


@pytest.mark.parametrize(
    "spacing, factor, final",
    [
        (0.6, 2, (0.6, 0.6, 3)),
        (0.5, 2, (0.5, 0.5, 3)),
        (0.4, 4, (0.4, 0.4, 3)),
        (0.25, 4, (0.25, 0.25, 3)),
        ((0.5, 0.5, 4), 2, (0.5, 0.5, 4)),
        ((0.3, 1.5, 3), 4, (0.3, 1.5, 3)),
    ],
)
def test_a_target_spacing_takes_the_smallest_factor_that_reaches_it(spacing, factor, final):
    made = plan(volume_of(), factor=None, spacing=spacing)
    assert made.factors == (factor, factor, 1)
    assert made.final_spacing == final


@given(st.floats(0.2501, 0.99))
def test_any_reachable_spacing_is_reached_by_a_factor_at_or_above_it(spacing):
    made = plan(volume_of(), factor=None, spacing=spacing)
    assert made.factors[0] * spacing >= 0.999
    assert made.factors[0] == (2 if spacing >= 0.5 else 4)
    assert made.final_spacing == (spacing, spacing, 3)


@pytest.mark.parametrize(
    "spacing",
    [1, 2, 0.1, 0, -0.5, float("nan"), float("inf"), (0.5, 0.5), (1, 1, 3), (1, 1, 5)],
    ids=str,
)
def test_a_spacing_that_cannot_be_reached_is_an_input_error(spacing):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        plan(volume_of(), factor=None, spacing=spacing)


def test_isotropic_refines_a_single_slice_to_its_finest_spacing():
    made = plan(volume_of((0.5, 1, 0.5), (20, 18, 1)), factor=None, isotropic=True)
    assert made.factors == (2, 2, 1)
    assert made.final_spacing == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("spacing, slices", [((1, 1, 1), 6), ((1, 1.1, 1), 1)])
def test_isotropic_of_an_isotropic_volume_is_an_input_error(spacing, slices):
    with pytest.raises(InputError, match="already"):
        plan(volume_of(spacing, (20, 18, slices)), factor=None, isotropic=True)


@pytest.mark.parametrize(
    "factor, across, in_plane, slice_factor",
    [
        ((1, 1, 4), 2, (1, 1, 1), 4),
        ((4, 1, 1), 0, (1, 1, 1), 4),
        ((2, 2, 2), 2, (2, 2, 1), 2),
        ((2, 4, 4), 0, (1, 4, 4), 2),
        ((2, 2, 5), 2, (2, 2, 1), 5),
    ],
)
def test_a_factor_along_the_slice_axis_asks_for_new_slices(factor, across, in_plane, slice_factor):
    made = plan(volume_of(), factor=factor)
    assert (made.slice_axis, made.factors, made.slice_factor) == (across, in_plane, slice_factor)
    assert made.through.through_slices and (made.model is None) == (in_plane == (1, 1, 1))
    assert made.output_grid(volume_of()).dimensions == tuple(np.multiply(volume_of().dimensions, factor))


@pytest.mark.parametrize(
    "spacing, wish, in_plane, final",
    [
        ((1, 1, 3), {"isotropic": True}, (1, 1, 1), (1, 1, 1)),
        ((1, 1.1, 3), {"isotropic": True}, (1, 1, 1), (1, 1, 1)),
        ((1, 1.6, 3), {"isotropic": True}, (2, 2, 1), (1, 1, 1)),
        ((3, 1, 1), {"isotropic": True}, (1, 1, 1), (1, 1, 1)),
        ((1, 1, 3), {"spacing": (0.5, 0.5, 1)}, (2, 2, 1), (0.5, 0.5, 1)),
        ((1, 1, 3), {"spacing": (1, 1, 0.7)}, (1, 1, 1), (1, 1, 0.7)),
    ],
    ids=str,
)
def test_a_spacing_finer_than_the_slices_asks_for_new_slices(spacing, wish, in_plane, final):
    made = plan(volume_of(spacing), factor=None, **wish)
    assert made.through.through_slices and made.final_spacing == final
    assert made.factors == in_plane


@pytest.mark.parametrize(
    "wish, in_file, thickness, source",
    [
        (None, None, 3.0, "the slice spacing"),
        (None, 2.5, 2.5, "the file"),
        (2.0, 2.5, 2.0, "the request"),
        (None, 90.0, 3.0, "the slice spacing"),
    ],
)
def test_the_thickness_is_the_requests_the_files_or_the_spacing_in_this_order(wish, in_file, thickness, source):
    volume = replace(volume_of(), slice_thickness=in_file)
    made = plan(volume, factor=(1, 1, 3), thickness=wish)
    assert (made.thickness, made.thickness_from) == (pytest.approx(thickness), source)


@pytest.mark.parametrize(
    "wishes",
    [
        {"factor": (1, 1, 4), "thickness": 0.1},
        {"factor": (1, 1, 4), "thickness": 40.0},
        {"factor": 4, "thickness": 3.0},
        {"factor": 4, "adapt": True},
        {"factor": (1, 1, 4), "model": "mri-x2-compact"},
        {"factor": 2, "model": "mri-through-plane"},
    ],
    ids=str,
)
def test_wishes_about_new_slices_that_contradict_each_other_are_an_input_error(wishes):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        plan(volume_of(), **wishes)


def test_between_a_single_slice_and_nothing_there_are_no_new_slices():
    with pytest.raises(InputError, match="single slice"):
        plan(volume_of((1, 1, 3), (20, 18, 1)), factor=(1, 1, 4))


def test_spacing_and_isotropic_together_are_an_input_error():
    with pytest.raises(InputError, match="not both"):
        plan(volume_of(), factor=None, spacing=0.5, isotropic=True)


@pytest.mark.parametrize(
    "dimensions, wishes", [((1, 18, 6), {}), ((20, 1, 6), {}), ((20, 18, 1), {"factor": (4, 1, 4)})]
)
def test_a_slice_plane_that_is_one_voxel_thick_is_an_input_error(dimensions, wishes):
    with pytest.raises(InputError, match="one voxel thick"):
        plan(volume_of((1, 1, 1), dimensions), **wishes)


def test_one_slice_and_planes_of_two_voxels_are_served():
    assert plan(volume_of((1, 1, 1), (20, 18, 1))).factors == (4, 4, 1)
    assert plan(volume_of((1, 1, 1), (1, 18, 6)), factor=(1, 4, 4)).factors == (1, 4, 4)
    assert plan(volume_of((1, 1, 3), (2, 2, 2))).factors == (4, 4, 1)


@pytest.mark.parametrize("wish", [{"quality": "good"}, {"model": "no-such-model"}], ids=str)
def test_an_unknown_quality_or_model_is_an_input_error(wish):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        plan(volume_of(), **wish)


@pytest.mark.parametrize(
    "wishes, shares, network, spacing",
    [
        ({"factor": 2}, (0.5, 0.5, 1), (4, 4, 1), (0.5, 0.5, 3)),
        ({"factor": 2}, (0.6, 1, 1), (4, 4, 1), (0.5, 0.5, 3)),
        ({"factor": 4}, (0.5, 0.5, 1), (4, 4, 1), (0.25, 0.25, 3)),
        ({"factor": None, "spacing": 0.9}, (0.5, 0.5, 1), (4, 4, 1), (0.9, 0.9, 3)),
        ({"factor": None, "spacing": 0.9}, (0.6, 0.6, 1), (2, 2, 1), (0.9, 0.9, 3)),
        ({"factor": 2, "model": "mri-x2-compact"}, (0.5, 0.5, 1), (2, 2, 1), (0.5, 0.5, 3)),
    ],
    ids=str,
)
def test_from_the_acquired_band_the_smallest_factor_that_reaches_the_asked_for_grid_is_taken(
    wishes, shares, network, spacing
):
    volume, request = volume_of(), UpscaleRequest(**{"quality": "fast", **wishes})
    dimensions = tuple(round(size * share) for size, share in zip(volume.dimensions, shares))
    made = plan_from_band(plan_upscale(volume, request), AcquiredBand(2, volume.spacing, shares, dimensions), request)
    assert made.factors == network and made.slice_axis == 2
    assert made.final_spacing == pytest.approx(spacing)
