"""Which axes are refined, by what, and which wishes cannot be met."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.acquisition import survey as survey_module
from SuperResolutionLib.acquisition.acquired_band import AcquiredBand
from SuperResolutionLib.acquisition.survey import slice_axis, survey
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.plan import plan as plan_of
from SuperResolutionLib.upscaling.request import UpscaleRequest

ONE_SENTENCE = r"^[^\n]+[;:,] [^\n]+\.$"


def volume_of(spacing=(1, 1, 3), dimensions=(20, 18, 6)) -> Volume:
    voxels = np.arange(np.prod(dimensions)).reshape(dimensions[::-1]) % 500
    return Volume(voxels.astype(np.int16), np.diag([*spacing, 1.0]))


def plan(volume, **wishes):
    request = UpscaleRequest(**{"quality": "fast", **wishes})
    return plan_of(survey(volume, request.named_axis), request)


def factors_of(made):
    """The slice plane's factors along i, j and k, as the network has them."""
    return (1, 1, 1) if made.slice_plane is None else made.slice_plane.factors


@pytest.mark.parametrize(
    "spacing, dimensions, axis",
    [
        ((1, 1, 3), (9, 9, 9), 2),
        ((3, 1, 1), (9, 9, 9), 0),
        ((1, 3, 1), (9, 9, 9), 1),
        ((1, 1, 1), (9, 9, 9), 2),
        ((0.9, 3, 3), (9, 9, 9), 2),
        ((3, 1, 3), (9, 9, 9), 2),
        ((1.09, 1, 1), (9, 9, 9), 2),
        ((1.11, 1, 1), (9, 9, 9), 0),
        ((4, 4, 1), (9, 9, 9), 2),
        ((4, 4.3, 1), (9, 9, 9), 2),
        ((4, 4.5, 1), (9, 9, 9), 1),
        ((0.6, 1.2, 0.9), (9, 9, 9), 1),
        ((3, 3, 1), (9, 9, 1), 2),
        ((1, 3, 1), (9, 9, 1), 2),
    ],
)
def test_the_slice_axis_is_coarser_than_both_others_by_a_tenth_and_else_k(spacing, dimensions, axis):
    assert slice_axis(volume_of(spacing, dimensions)) == axis


def test_the_slice_axis_does_not_depend_on_where_the_volume_points(oblique_phantom):
    assert slice_axis(oblique_phantom) == 2
    turned = Volume(oblique_phantom.voxels, oblique_phantom.ijk_to_ras[:, [2, 0, 1, 3]])
    assert slice_axis(turned) == 0


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("spacing, ones", [((1, 1, 3), 2), ((3, 1, 1), 0), ((1, 3, 1), 1), ((1, 1, 1), 2)])
def test_a_single_factor_refines_the_slice_plane(spacing, ones, factor):
    made = plan(volume_of(spacing), factor=factor)
    assert made.survey.slice_axis == ones
    assert factors_of(made) == tuple(1 if axis == ones else factor for axis in range(3))
    assert made.slice_plane.model.factor == factor
    assert made.grid.dimensions == tuple(np.multiply((20, 18, 6), factors_of(made)))


@pytest.mark.parametrize("factor", [(4, 1, 4), (1, 2, 2), (2, 2, 1)])
def test_factors_per_axis_name_the_plane_themselves(factor):
    made = plan(volume_of(), factor=factor)
    assert factors_of(made) == factor
    assert made.survey.slice_axis == factor.index(1)


@pytest.mark.parametrize(
    "factor", [(4, 2, 1), (1, 1, 1), (0, 4, 4), (4, 4, -1), (1, 0, 0), (1, -4, -4), (1, 1, 2.5), (2, 2), (1, 2, 3)]
)
def test_factors_that_are_no_slice_plane_and_slice_axis_are_an_input_error(factor):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        plan(volume_of(), factor=factor)


@pytest.mark.parametrize("factor", [0, 1, -4, 9, 1000, 2.5, (9, 9, 1)])
def test_a_factor_that_cannot_be_served_is_an_input_error(factor):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        plan(volume_of(), factor=factor)


@pytest.mark.parametrize("factor, network", [(2, 2), (3, 4), ((3, 3, 1), 4), (4, 4), (5, 4), (8, 4)])
def test_any_whole_factor_up_to_8_is_served_by_the_network_at_or_above_it_and_one_resampling(factor, network):
    made = plan(volume_of(), factor=factor)
    finer = factor if isinstance(factor, int) else factor[0]
    assert factors_of(made) == (network, network, 1)
    assert made.grid.dimensions == (finer * 20, finer * 18, 6)
    assert any("resampled once" in decision for decision in made.decisions) == (finer != network)


def test_a_named_model_must_have_the_factor_that_is_asked_for():
    with pytest.raises(InputError, match="upscales x2, not x4"):
        plan(volume_of(), model="mri-x2-compact", factor=4)


def test_without_a_wish_the_factor_is_the_models_or_4():
    assert factors_of(plan(volume_of(), factor=None)) == (4, 4, 1)
    assert factors_of(plan(volume_of(), factor=None, model="mri-x2-compact")) == (2, 2, 1)
    assert tuple(plan(volume_of(), factor=None, model="mri-through-plane").grid.spacing) == (1, 1, 1)


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
    assert factors_of(made) == (factor, factor, 1)
    assert tuple(made.grid.spacing) == pytest.approx(final)


@given(st.floats(0.2501, 0.99))
def test_any_reachable_spacing_is_reached_by_a_factor_at_or_above_it(spacing):
    made = plan(volume_of(), factor=None, spacing=spacing)
    assert factors_of(made)[0] * spacing >= 0.999
    assert factors_of(made)[0] == (2 if spacing >= 0.5 else 4)
    assert tuple(made.grid.spacing) == pytest.approx((spacing, spacing, 3))


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
    assert factors_of(made) == (2, 2, 1)
    assert tuple(made.grid.spacing) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("spacing, slices", [((1, 1, 1), 6), ((1, 1.02, 1), 1)])
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
    assert (made.survey.slice_axis, factors_of(made)) == (across, in_plane)
    assert made.new_slices.model.through_slices and (made.slice_plane is None) == (in_plane == (1, 1, 1))
    assert made.grid.dimensions == tuple(np.multiply(volume_of().dimensions, factor))
    assert made.grid.dimensions[across] == slice_factor * volume_of().dimensions[across]


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
    assert made.new_slices.model.through_slices and tuple(made.grid.spacing) == pytest.approx(final)
    assert factors_of(made) == in_plane


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
    assert (made.new_slices.thickness, made.new_slices.thickness_from) == (pytest.approx(thickness), source)


@pytest.mark.parametrize(
    "wishes",
    [
        {"factor": (1, 1, 4), "thickness": 0.1},
        {"factor": (1, 1, 4), "thickness": 40.0},
        {"factor": 4, "thickness": 3.0},
        {"factor": 4, "adapt": True},
        {"factor": 4, "level": True},
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
    assert factors_of(plan(volume_of((1, 1, 1), (20, 18, 1)))) == (4, 4, 1)
    assert factors_of(plan(volume_of((1, 1, 1), (1, 18, 6)), factor=(1, 4, 4))) == (1, 4, 4)
    assert factors_of(plan(volume_of((1, 1, 3), (2, 2, 2)))) == (4, 4, 1)


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
    wishes, shares, network, spacing, monkeypatch
):
    volume = volume_of()
    dimensions = tuple(round(size * share) for size, share in zip(volume.dimensions, shares))
    band = AcquiredBand(2, volume.spacing, shares, dimensions)
    monkeypatch.setattr(survey_module, "detect_acquired_band", lambda volume, across: band)
    made = plan(volume, **wishes)
    assert made.takes_band and made.survey.slice_axis == 2
    assert factors_of(made) == network
    assert tuple(made.grid.spacing) == pytest.approx(spacing)


@pytest.mark.parametrize(
    "wishes, reason",
    [
        ({"factor": 2, "as_stored": True}, "either the acquired matrix or as stored"),
        ({"factor": (1, 1, 4)}, "only matters where a network refines the slice plane"),
        ({"factor": None, "isotropic": True}, "only matters where a network refines the slice plane"),
    ],
    ids=str,
)
def test_an_acquired_matrix_that_nothing_would_use_is_refused(wishes, reason):
    request = UpscaleRequest(**wishes, acquired=(10, 9))
    with pytest.raises(InputError, match=reason):
        plan_of(survey(volume_of(), acquired=(10, 9)), request)


def test_planning_touches_no_voxel():
    seen = survey(volume_of((1, 1.2, 3)))
    other_voxels = replace(seen, volume=Volume(np.zeros((6, 18, 20), np.int16), seen.volume.ijk_to_ras))
    for wishes in (
        {"factor": 4},
        {"factor": (1, 1, 4)},
        {"factor": None, "isotropic": True},
        {"region": (1, 1, 1, 9, 9, 9)},
    ):
        made = [plan_of(scan, UpscaleRequest(**wishes)) for scan in (seen, other_voxels)]
        assert made[0].decisions == made[1].decisions and made[0].grid.dimensions == made[1].grid.dimensions


def test_voxels_that_are_nearly_isotropic_are_resampled_without_a_network():
    made = plan(volume_of((1, 1.1, 1), (20, 18, 1)), factor=None, isotropic=True)
    assert [type(step).__name__ for step in made.steps] == ["Resample"]
    assert tuple(made.grid.spacing) == pytest.approx((1, 1, 1))
    with pytest.raises(InputError, match="no expected error"):
        plan(volume_of((1, 1.1, 1), (20, 18, 1)), factor=None, isotropic=True, error=True)


@pytest.mark.parametrize(
    "wishes, words",
    [
        (
            {"factor": 4},
            [
                "slice axis is k: so says the coarsest spacing",
                "along i and j too few samples to tell",
                "x4 by mri-x4-compact",
            ],
        ),
        ({"factor": (1, 4, 4)}, ["slice axis is i: so says the request"]),
        ({"factor": (1, 1, 4)}, ["New slices are made by mri-through-plane", "says the slice spacing"]),
        ({"factor": 2, "model": "mri-x2-rrdb", "consistency": False}, ["as was asked for", "not held"]),
        ({"box": ((1, 1, 1), (9, 9, 4))}, ["Of 20 x 18 x 6 voxels, 8 x 8 x 3 are upscaled"]),
    ],
    ids=str,
)
def test_each_decision_is_one_sentence(wishes, words):
    decisions = plan(volume_of(), **wishes).decisions
    assert all(decision.endswith(".") and "\n" not in decision for decision in decisions)
    for word in words:
        assert any(word in decision for decision in decisions), (word, decisions)


def test_a_scan_that_cannot_be_upscaled_is_refused_when_it_is_planned():
    constant = Volume(np.full((6, 18, 20), 7, np.int16), np.diag([1.0, 1.0, 3.0, 1.0]))
    with pytest.raises(InputError, match="All voxels of the volume are equal"):
        plan(constant)


def test_factors_that_name_another_slice_axis_than_the_survey_looked_across_are_refused():
    with pytest.raises(InputError, match="named_axis"):
        plan_of(survey(volume_of()), UpscaleRequest(factor=(1, 4, 4)))
