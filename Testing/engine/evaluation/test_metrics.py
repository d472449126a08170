"""The metrics, against analytic values, MONAI and scikit-image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.evaluation.metrics import (
    background_deviation,
    foreground,
    fourier_ring_correlation,
    frc_cutoff,
    gradient_magnitude_similarity,
    ms_ssim,
    psnr,
    score,
    similarity_maps,
    ssim,
)


def textured(shape=(2, 192, 184), seed=0):
    """A smooth random image, so that all scales have contrast."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(random.normal(size=shape))
    radius = np.hypot(np.fft.fftfreq(shape[-2])[:, None], np.fft.rfftfreq(shape[-1]))
    image = np.fft.irfft2(spectrum / (0.02 + radius), s=shape[-2:])
    return 300 + 100 * image / image.std()


def low_passed(images, cycles_per_voxel):
    radius = np.hypot(np.fft.fftfreq(images.shape[-2])[:, None], np.fft.rfftfreq(images.shape[-1]))
    return np.fft.irfft2(np.fft.rfft2(images) * (radius <= cycles_per_voxel), s=images.shape[-2:])


@given(st.floats(0.1, 50), st.floats(50, 2000))
def test_the_psnr_of_a_constant_error_is_the_ratio_of_span_and_error(error, span):
    truth = textured((1, 16, 16))
    assert psnr(truth + error, truth, span) == pytest.approx(20 * math.log10(span / error), abs=1e-6)


def test_the_psnr_over_a_mask_sees_only_the_mask():
    truth = textured((1, 16, 16))
    result, mask = truth.copy(), np.zeros(truth.shape, bool)
    result[0, :8] += 1000
    mask[0, 8:] = True
    result[mask] += 2
    assert psnr(result, truth, 200, mask) == pytest.approx(40)
    assert psnr(truth, truth, 200) == math.inf


def test_gradient_magnitude_similarity_falls_with_blur_and_with_invented_edges():
    truth = textured()
    assert gradient_magnitude_similarity(truth, truth, 400) == pytest.approx(1)
    assert gradient_magnitude_similarity(truth + 50, truth, 400) == pytest.approx(1)
    blurred = gradient_magnitude_similarity(low_passed(truth, 0.1), truth, 400)
    invented = gradient_magnitude_similarity(truth + 30 * (np.indices(truth.shape)[2] % 4 < 2), truth, 400)
    assert max(blurred, invented) < 0.99
    assert gradient_magnitude_similarity(low_passed(truth, 0.05), truth, 400) < blurred


def test_gradient_magnitude_similarity_of_a_ramp_is_the_closed_form():
    ramp = np.broadcast_to(np.arange(32.0), (1, 32, 32))
    mask = np.zeros(ramp.shape, bool)
    mask[:, 4:-4, 4:-4] = True
    ours, true, constant = 2 / 100, 4 / 100, 170 / 255**2
    expected = (2 * ours * true + constant) / (ours**2 + true**2 + constant)
    assert gradient_magnitude_similarity(ramp, 2 * ramp, 100, mask) == pytest.approx(expected, abs=1e-5)


def test_the_background_deviation_is_that_of_its_noise_whatever_its_shading():
    random = np.random.default_rng(0)
    noise = random.normal(0, 5, (2, 128, 128))
    mask = np.zeros(noise.shape, bool)
    mask[:, 40:90, 40:90] = True
    shaded = noise + np.linspace(0, 100, 128)
    assert background_deviation(noise + 1000 * mask, mask) == pytest.approx(5, rel=0.05)
    assert background_deviation(shaded + 1000 * mask, mask) == pytest.approx(5.4, rel=0.1)
    assert background_deviation(noise, np.ones_like(mask)) == 0
    assert background_deviation(noise[:, :7], np.zeros_like(mask)[:, :7]) == 0


def test_the_ssim_is_that_of_scikit_image():
    skimage = pytest.importorskip("skimage.metrics")
    truth = textured()
    result = truth + np.random.default_rng(5).normal(0, 30, truth.shape)
    expected = np.mean(
        [
            skimage.structural_similarity(
                a, b, data_range=400, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
            )
            for a, b in zip(result, truth)
        ]
    )
    assert 0.3 < expected < 0.95
    assert ssim(similarity_maps(result, truth, 400)) == pytest.approx(expected, abs=1e-4)


def test_the_multi_scale_ssim_of_one_image_is_that_of_monai():
    from monai.metrics.regression import MultiScaleSSIMMetric

    truth = textured((1, 192, 180))
    result = low_passed(truth, 0.1)
    images = [torch.from_numpy(image / 400).float()[:, None] for image in (result, truth)]
    expected = float(MultiScaleSSIMMetric(spatial_dims=2, data_range=1.0)(*images))
    assert expected < 0.99
    # The published weights add up to 1.0001; ours are made to add up to 1.
    assert ms_ssim(similarity_maps(result, truth, 400)) == pytest.approx(expected ** (1 / 1.0001), abs=1e-5)


def test_the_similarity_of_equal_images_is_one_at_any_size():
    for side in (11, 40, 180):
        truth = textured((1, side, side + 3))
        maps = similarity_maps(truth, truth, 400)
        assert ssim(maps) == pytest.approx(1, abs=1e-5)
        assert ms_ssim(maps) == pytest.approx(1, abs=1e-5)


def test_the_similarity_over_a_mask_ignores_errors_far_from_it():
    truth = textured((2, 96, 96))
    result, mask = truth.copy(), np.zeros(truth.shape, bool)
    mask[:, 40:56, 40:56] = True
    result[:, :8] += 500
    maps = similarity_maps(result, truth, 400)
    assert ssim(maps, mask) == pytest.approx(1, abs=1e-5)
    assert ssim(maps) < 0.99
    assert ms_ssim(maps) < ms_ssim(maps, mask)


def test_a_slice_narrower_than_the_window_of_ssim_is_refused():
    with pytest.raises(ValueError, match="narrower than 11"):
        similarity_maps(np.zeros((1, 10, 40)), np.zeros((1, 10, 40)), 1)


@given(st.floats(0.1, 10), st.floats(-500, 500))
def test_gain_and_offset_leave_the_ring_correlation_as_it_is(gain, offset):
    truth = textured((2, 32, 40))
    result = low_passed(truth, 0.2) + np.random.default_rng(1).normal(0, 10, truth.shape)
    first = fourier_ring_correlation(result, truth, 4)
    second = fourier_ring_correlation(gain * result + offset, truth, 4)
    np.testing.assert_allclose(first, second, atol=1e-9)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("edge", [0.1, 0.2, 0.3])
def test_the_cut_off_is_where_the_result_stops_to_be_right_in_cycles_per_coarse_voxel(factor, edge):
    random = np.random.default_rng(2)
    truth, other = random.normal(size=(2, 6, 128, 160))
    result = low_passed(truth, edge) + other - low_passed(other, edge)
    frequencies, correlations = fourier_ring_correlation(result, truth, factor)
    assert frequencies[-1] == pytest.approx(factor / 2)
    assert frc_cutoff(frequencies, correlations) == pytest.approx(factor * edge, abs=1.5 * factor / 128)


def test_invented_detail_does_not_move_the_cut_off():
    truth, other = textured((8, 128, 128), seed=3), textured((8, 128, 128), seed=4)
    blurred = low_passed(truth, 0.15)
    invented = blurred + other - low_passed(other, 0.15)
    cutoffs = [frc_cutoff(*fourier_ring_correlation(result, truth, 4)) for result in (blurred, invented)]
    assert cutoffs[1] <= cutoffs[0] + 1e-9


def test_the_cut_off_lies_on_the_line_between_two_rings():
    frequencies = np.array([0.1, 0.2, 0.3, 0.4])
    assert frc_cutoff(frequencies, np.array([0.9, 0.75, 0.25, 0.9])) == pytest.approx(0.25)
    assert frc_cutoff(frequencies, np.ones(4)) == pytest.approx(0.4)
    assert frc_cutoff(frequencies, np.zeros(4)) == 0


def test_a_blank_result_has_no_correlation():
    correlations = fourier_ring_correlation(np.zeros((1, 32, 32)), textured((1, 32, 32)), 4)[1]
    np.testing.assert_array_equal(correlations, 0)


def test_the_foreground_is_the_patient_with_its_cavities_and_without_the_noise_around():
    y, x = np.mgrid[:96, :96]
    radius = np.hypot(y - 48, x - 44)
    image = 0.6 * (radius < 30) - 0.6 * (radius < 10)
    noisy = np.hypot(image + np.random.default_rng(6).normal(0, 0.03, image.shape), 0.03)
    mask = foreground(noisy[None])[0]
    assert mask[radius < 29].all()
    assert not mask[radius > 35].any()


def test_a_score_gets_worse_with_the_error_and_counts_from_the_low_end_of_the_range():
    truth = textured((2, 64, 64))
    mask = np.ones(truth.shape, bool)
    good, bad = (score(low_passed(truth, edge), truth, 400, mask, 4) for edge in (0.3, 0.1))
    assert set(good) == {
        "psnr", "ssim", "ms_ssim", "gms", "psnr_foreground", "ssim_foreground", "ms_ssim_foreground",
        "gms_foreground", "frc_cutoff",
    }  # fmt: skip
    for name in good:
        assert good[name] > bad[name]
        assert isinstance(good[name], float)
    shifted = score(low_passed(truth, 0.1) - 5000, truth - 5000, 400, mask, 4, low=-5000)
    assert shifted == pytest.approx(bad, rel=1e-4)
