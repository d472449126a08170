"""Interpolation on the refined grid, and back-projection with a known operator."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.acquisition.operators import OPERATORS
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.writing import image_from_volume
from SuperResolutionLib.geometry.interpolation import added_to_interpolation, back_project, interpolate, refine
from SuperResolutionLib.geometry.line_weights import INTERPOLATORS
from SuperResolutionLib.geometry.volume import Volume, refined_matrix

LEFT_HANDED_OBLIQUE = np.array([[-0.8, 0.3, 0.1, 12], [0.2, 0.7, -0.9, -40], [0.1, 0.4, 2.8, 7], [0, 0, 0, 1]])
SMALL = st.integers(1, 6)
FACTORS = st.tuples(*[st.integers(1, 5)] * 3)


def blob(shape=(24, 28, 32), centre=(11.3, 14.6, 15.2), width=3.0):
    grid = np.meshgrid(*map(np.arange, shape), indexing="ij")
    return 900 * np.exp(-sum((g - c) ** 2 for g, c in zip(grid, centre)) / (2 * width**2))


def ras_centroid(volume):
    k, j, i = np.meshgrid(*map(np.arange, volume.voxels.shape), indexing="ij")
    weights = volume.voxels.astype(np.float64)
    index = [float((axis * weights).sum() / weights.sum()) for axis in (i, j, k)]
    return (volume.ijk_to_ras @ [*index, 1])[:3]


@pytest.mark.parametrize("method", INTERPOLATORS)
@given(shape=st.tuples(SMALL, SMALL, SMALL), factors=FACTORS)
def test_a_constant_image_stays_constant_up_to_its_borders_and_fills_the_same_box(method, shape, factors):
    volume = Volume(np.full(shape, 300, np.int16), LEFT_HANDED_OBLIQUE)
    fine = interpolate(volume, factors, method)
    assert fine.dimensions == tuple(n * f for n, f in zip(volume.dimensions, factors))
    assert fine.voxels.dtype == np.float32
    np.testing.assert_allclose(fine.voxels, 300, rtol=1e-5)
    np.testing.assert_allclose(fine.ras_bounds(), volume.ras_bounds(), atol=1e-6)


@pytest.mark.parametrize("method", INTERPOLATORS)
@pytest.mark.parametrize("factors", [(4, 4, 1), (2, 1, 2), (3, 2, 4)])
def test_a_blob_keeps_its_centroid_in_space(method, factors):
    volume = Volume(blob(), LEFT_HANDED_OBLIQUE)
    fine = interpolate(volume, factors, method)
    np.testing.assert_allclose(ras_centroid(fine), ras_centroid(volume), atol=2e-3)


def test_what_was_added_is_nothing_where_the_result_is_the_interpolation():
    coarse = Volume(blob((9, 20, 22), (4, 9, 11)), LEFT_HANDED_OBLIQUE)
    added = added_to_interpolation(coarse, interpolate(coarse, (4, 4, 1)))
    assert added.voxels.dtype == np.float32
    np.testing.assert_allclose(added.voxels[:, 8:-8, 8:-8], 0, atol=0.1)


@pytest.mark.parametrize("first, last", [((0, 0, 3), (22, 20, 4)), ((5, 4, 2), (12, 15, 6))])
def test_what_was_added_to_a_part_is_that_part_of_what_was_added(first, last):
    coarse = Volume(np.random.default_rng(0).integers(0, 900, (9, 20, 22)).astype(np.int16), LEFT_HANDED_OBLIQUE)
    fine = Volume(np.full((9, 40, 44), 7, np.int16), refined_matrix(coarse.ijk_to_ras, (2, 2, 1)))
    box = tuple(slice(2 * a, 2 * b) for a, b in list(zip(first, last))[1::-1])
    whole = added_to_interpolation(coarse, fine).voxels[first[2] : last[2]][:, box[0], box[1]]
    part = fine.cropped((2 * first[0], 2 * first[1], first[2]), (2 * last[0], 2 * last[1], last[2]))
    assert np.abs(whole).max() > 100
    np.testing.assert_allclose(added_to_interpolation(coarse, part).voxels, whole, atol=0.01)


@pytest.mark.parametrize("method", ["nearest", "linear", "bspline"])
def test_the_result_is_what_simpleitk_resamples_in_space(method):
    volume = Volume(np.random.default_rng(1).normal(size=(7, 9, 8)).astype(np.float32), np.diag([0.5, 0.7, 2, 1]))
    fine = interpolate(volume, (4, 3, 2), method)
    image, grid = image_from_volume(volume), image_from_volume(fine)
    expected = sitk.Resample(image, grid, sitk.Transform(), INTERPOLATORS[method])
    np.testing.assert_allclose(fine.voxels, sitk.GetArrayFromImage(expected), atol=1e-5)


def test_lanczos_is_simpleitks_with_weights_that_add_up_to_one():
    samples = np.random.default_rng(2).normal(10, 1, size=(8, 30)).astype(np.float32)
    ours = refine(samples, (1, 3), "lanczos")
    image = sitk.Resample(
        sitk.GetImageFromArray(samples), (90, 8), sitk.Transform(), sitk.sitkLanczosWindowedSinc,
        (-1 / 3, 0), (1 / 3, 1), (1, 0, 0, 1),
    )  # fmt: skip
    assert 1e-4 < np.abs(ours - sitk.GetArrayFromImage(image)).max() < 0.05


def test_nearest_repeats_every_voxel():
    voxels = np.random.default_rng(3).integers(-1000, 3000, (2, 5, 6)).astype(np.int16)
    fine = refine(voxels, (1, 4, 3), "nearest")
    np.testing.assert_array_equal(fine, voxels.repeat(4, axis=1).repeat(3, axis=2))


def test_a_cubic_spline_reproduces_a_cubic_polynomial_away_from_the_ends():
    def polynomial(x):
        return 1e-3 * (x - 20) ** 3 - 0.02 * (x - 11) ** 2 + x

    fine = refine(polynomial(np.arange(40.0))[None], (1, 4), "bspline")[0]
    positions = (np.arange(160) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(fine[56:104], polynomial(positions[56:104]), atol=1e-3)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_spline_of_few_samples_is_that_of_the_mirrored_line(length):
    samples = np.random.default_rng(length).normal(size=length).astype(np.float32)
    mirrored = np.pad(samples, 24, mode="reflect")
    expected = refine(mirrored[None], (1, 4), "bspline")[0, 96 : 96 + 4 * length]
    np.testing.assert_allclose(refine(samples[None], (1, 4), "bspline")[0], expected, atol=1e-6)


def test_an_unknown_method_and_a_fractional_factor_are_refused():
    volume = Volume(np.zeros((2, 2, 2)), np.eye(4))
    with pytest.raises(InputError, match="cubist.*nearest, linear, bspline, lanczos"):
        interpolate(volume, (2, 2, 1), "cubist")
    for factors in ((2.5, 2, 1), (0, 2, 1)):
        with pytest.raises(InputError, match="whole numbers"):
            interpolate(volume, factors)


def edges():
    y, x = np.mgrid[:96, :80]
    image = 40.0 * ((y - 50) ** 2 / 35**2 + (x - 38) ** 2 / 30**2 < 1) + 60.0 * ((y - 44) ** 2 + (x - 41) ** 2 < 150)
    return torch.from_numpy(image.astype(np.float32))[None, None]


def started(coarse, factor=4):
    return torch.from_numpy(refine(coarse.numpy(), (1, 1, factor, factor)))


def rms(image):
    return float(image.square().mean().sqrt())


@pytest.mark.parametrize("name", ["area", "bicubic"])
def test_back_projection_agrees_with_the_measurement_and_comes_closer_to_the_truth(name):
    truth, operator = edges(), OPERATORS[name]
    coarse = operator(truth, 4).clamp(min=0)
    fine = back_project(coarse, started(coarse), operator, 4)
    assert rms(operator(fine, 4) - coarse) < 0.25 * rms(operator(started(coarse), 4) - coarse)
    assert rms(fine - truth) < 0.95 * rms(started(coarse) - truth)


@pytest.mark.parametrize("name", OPERATORS)
def test_back_projection_keeps_a_constant_image_constant_up_to_its_borders(name):
    coarse = torch.full((2, 1, 12, 10), 70.0)
    fine = back_project(coarse, started(coarse), OPERATORS[name], 4)
    torch.testing.assert_close(fine, torch.full((2, 1, 48, 40), 70.0), rtol=1e-4, atol=0)


def test_back_projection_of_a_magnitude_image_does_not_diverge():
    truth, operator = edges(), OPERATORS["kspace"]
    coarse = operator(truth, 4)
    fine = back_project(coarse, started(coarse), operator, 4, iterations=40)
    assert fine.min() >= 0
    assert rms(fine - truth) < 1.05 * rms(started(coarse) - truth)
