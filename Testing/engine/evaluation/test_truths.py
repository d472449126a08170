"""True slices: which are chosen, where they lie, and what a scanner would have stored of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.acquisition.slice_profile import FWHM_OF_UNIT_GAUSSIAN
from SuperResolutionLib.evaluation.truths import DEGRADATIONS, NOISES, choose_slices, degrade, truth_for
from SuperResolutionLib.geometry.volume import Volume

OBLIQUE = np.array([[-0.8, 0.3, 0.1, 12], [0.2, 0.7, -0.9, -40], [0.1, 0.4, 2.8, 7], [0, 0, 0, 1]])


@given(
    shape=st.tuples(st.integers(30, 60), st.integers(30, 40), st.integers(30, 36)),
    plane=st.sampled_from(["ij", "ji", "ik", "kj"]),
    most=st.integers(1, 12),
    factor=st.integers(2, 4),
)
def test_the_chosen_slices_are_the_scans_own_voxels_where_they_lie(shape, plane, most, factor):
    voxels = np.random.default_rng(0).integers(0, 1000, shape).astype(np.int16)
    scan = Volume(voxels, OBLIQUE)
    truth = choose_slices(scan, factor, plane, most)
    chosen = truth.volume
    assert set(truth.plane) == set(plane)
    assert chosen.dimensions[truth.across] == min(most, scan.dimensions[truth.across])
    assert all(size % f == 0 for size, f in zip(chosen.dimensions, truth.factors))
    last = np.array(chosen.dimensions) - 1
    for index in ((0, 0, 0), tuple(last), tuple(last // 2)):
        position = chosen.ijk_to_ras @ [*index, 1]
        source = np.linalg.solve(scan.ijk_to_ras, position)[:3]
        np.testing.assert_allclose(source, np.rint(source), atol=1e-9)
        assert chosen.voxels[index[::-1]] == voxels[tuple(np.rint(source).astype(int)[::-1])]


def test_slices_without_content_are_left_out_and_the_rest_is_spread_over_the_content(make_phantom):
    voxels = np.zeros((60, 40, 40), np.int16)
    voxels[20:50] = make_phantom((30, 40, 40)).voxels
    truth = choose_slices(Volume(voxels, np.diag([1.0, 1, 2, 1])), 4, None, 6)
    slices = truth.volume.ijk_to_ras[2, 3] / 2 + truth.volume.spacing[2] / 2 * np.arange(6)
    assert truth.volume.dimensions[2] == 6
    assert slices.min() >= 20
    assert slices.max() <= 49
    np.testing.assert_allclose(np.diff(slices), 5)


@pytest.mark.parametrize(
    ("spacing", "plane"), [((1, 1, 3), "ij"), ((1, 1, 1), "ij"), ((0.9, 0.8, 0.8), "jk"), ((0.8, 0.9, 0.8), "ik")]
)
def test_the_plane_is_across_the_coarsest_spacing_and_k_where_it_ties(spacing, plane):
    voxels = np.random.default_rng(1).normal(size=(20, 20, 20))
    assert choose_slices(Volume(voxels, np.diag([*spacing, 1])), 4).plane == plane


@pytest.mark.parametrize("degradation", DEGRADATIONS)
@pytest.mark.parametrize("plane", ["ij", "ik", "jk"])
def test_the_coarse_volume_is_what_a_scanner_would_store_in_the_same_box(make_phantom, degradation, plane):
    truth = choose_slices(make_phantom((32, 36, 40), np.int16, OBLIQUE), 4, plane)
    coarse = degrade(truth, degradation)
    assert coarse.voxels.dtype == np.int16
    assert coarse.voxels.min() >= 0
    assert coarse.modality == "MR"
    assert coarse.dimensions == tuple(n // f for n, f in zip(truth.volume.dimensions, truth.factors))
    np.testing.assert_allclose(coarse.ras_bounds(), truth.volume.ras_bounds(), atol=1e-9)
    noise_floor = NOISES.get(degradation, 0) * truth.scale.span
    assert coarse.voxels.mean() == pytest.approx(truth.volume.voxels.mean(), rel=0.03, abs=noise_floor)


def test_a_soft_scan_is_scored_against_its_own_blur_and_other_degradations_against_the_scan():
    voxels = np.zeros((4, 48, 48), np.int16)
    voxels[:, 24, 24] = 20000
    voxels[:, 0, 0] = 100
    sharp = choose_slices(Volume(voxels, np.diag([1.0, 1, 3, 1])), 2, most=4)
    assert truth_for(sharp, "kspace") is sharp
    soft = truth_for(sharp, "kspace-soft").volume.voxels
    line = soft[1, 24].astype(float)
    sigma = np.sqrt((line * (np.arange(48) - 24) ** 2)[12:36].sum() / line[12:36].sum())
    assert sigma * FWHM_OF_UNIT_GAUSSIAN == pytest.approx(2, rel=0.05)
    assert soft.dtype == np.int16
    assert soft.sum() == pytest.approx(voxels.astype(int).sum(), rel=0.01)
    np.testing.assert_array_equal(soft[0], soft[3])


def test_an_area_average_is_stored_as_the_rounded_mean_of_the_voxels_under_it(make_phantom):
    truth = choose_slices(make_phantom((20, 24, 28)), 4, "ik")
    means = truth.volume.voxels.reshape(5, 4, -1, 7, 4).mean(axis=(1, 4))
    assert np.abs(degrade(truth, "area").voxels - means).max() <= 0.5 + 1e-3


def test_the_noise_is_rician_of_two_percent_of_the_range_and_repeats_with_its_seed():
    voxels = np.zeros((6, 80, 80), np.int16)
    voxels[:, 30:50, 30:50] = 4000
    truth = choose_slices(Volume(voxels, np.diag([1.0, 1, 3, 1])), 4, most=6)
    coarse = degrade(truth, "kspace-noise", seed=3).voxels
    sigma = NOISES["kspace-noise"] * truth.scale.span
    corner = coarse[:, :4, :4].astype(float)
    assert np.sqrt((corner**2).mean() / 2) == pytest.approx(sigma, rel=0.25)
    np.testing.assert_array_equal(coarse, degrade(truth, "kspace-noise", seed=3).voxels)
    assert (coarse != degrade(truth, "kspace-noise", seed=4).voxels).any()


def test_where_voxels_are_negative_the_noise_is_gaussian_so_that_air_keeps_its_mean():
    voxels = np.full((6, 80, 80), -1000, np.int16)
    voxels[:, 30:50, 30:50] = 1000
    truth = choose_slices(Volume(voxels, np.diag([1.0, 1, 3, 1])), 4, most=6)
    corner = degrade(truth, "kspace-noise", seed=3).voxels[:, :4, :4].astype(float)
    assert corner.min() < -1000
    assert corner.mean() == pytest.approx(-1000, abs=20)
    assert corner.std() == pytest.approx(NOISES["kspace-noise"] * truth.scale.span, rel=0.3)


def test_the_slices_between_those_that_are_scored_are_degraded_as_well_where_they_lie(make_phantom):
    voxels = make_phantom((30, 40, 40)).voxels
    truth = choose_slices(Volume(voxels, np.diag([1.0, 1, 2, 1])), 4, None, 6)
    coarse = degrade(truth, "area")
    assert (truth.step, coarse.dimensions[2], coarse.spacing[2]) == (5, 26, 2)
    chosen = truth.chosen(coarse)
    assert chosen.dimensions[2] == truth.volume.dimensions[2] == 6
    np.testing.assert_allclose(chosen.ras_bounds(), truth.volume.ras_bounds(), atol=1e-9)
    means = truth.volume.voxels.reshape(6, 10, 4, 10, 4).mean(axis=(2, 4))
    assert np.abs(chosen.voxels - means).max() <= 0.5 + 1e-3
