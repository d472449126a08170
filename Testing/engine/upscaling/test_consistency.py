"""The band that the scanner measured is held, up to the noise, and nothing else is touched."""

import pytest
import torch
from torch.nn import functional as F

from SuperResolutionLib.acquisition.operators import OPERATORS, area_average
from SuperResolutionLib.upscaling.consistency import HeldBand, upsampled_and_averaged

CLEAN = HeldBand(0.25)


def slices_of(volume):
    return torch.from_numpy(volume.voxels / 1000.0).float()[:, None]


def rms(image):
    return float(image.square().mean().sqrt())


@pytest.fixture(scope="module")
def fine(make_phantom):
    return slices_of(make_phantom((3, 160, 176), float))


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("operator", OPERATORS)
def test_on_clean_input_the_held_band_agrees_to_half_a_percent(fine, operator, factor):
    measured = OPERATORS[operator](fine, factor)
    rows = torch.linspace(0, 3, fine.shape[-2])[:, None]
    wrong = 0.9 * F.interpolate(measured, scale_factor=factor, mode="bicubic") + 0.05 + 0.08 * torch.sin(rows)
    assert rms(CLEAN.deviation(wrong, measured, factor)) > 0.03
    held = CLEAN.project(wrong, measured, factor)
    assert held.shape == fine.shape
    assert rms(CLEAN.deviation(held, measured, factor)) <= 0.005


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("spoil", [lambda x: x.roll(6, -1), lambda x: 0.6 * x], ids=["moved", "faded"])
def test_a_result_that_is_wrong_at_all_frequencies_is_held_to_half_a_percent_too(fine, factor, spoil):
    measured = area_average(fine, factor)
    assert rms(CLEAN.deviation(spoil(fine), measured, factor)) > 0.05
    assert rms(CLEAN.deviation(CLEAN.project(spoil(fine), measured, factor), measured, factor)) <= 0.005


@pytest.mark.parametrize("shift", [0.1, -0.3])
def test_a_network_that_shifts_the_mean_is_corrected(fine, shift):
    measured = area_average(fine, 4)
    held = CLEAN.project(fine + shift, measured, 4)
    torch.testing.assert_close(held, fine, atol=1e-4, rtol=0)


def test_a_result_that_agrees_is_left_alone(fine):
    torch.testing.assert_close(CLEAN.project(fine, area_average(fine, 2), 2), fine, atol=1e-5, rtol=0)


def test_detail_that_the_scanner_did_not_measure_is_left_alone(fine):
    measured = area_average(fine, 2)
    checkerboard = 0.2 * (-1.0) ** (torch.arange(160)[:, None] + torch.arange(176)[None])
    held = CLEAN.project(fine + checkerboard, measured, 2)
    torch.testing.assert_close(held, fine + checkerboard, atol=1e-5, rtol=0)


def test_waves_near_the_inputs_nyquist_frequency_are_not_held():
    measured = torch.zeros(1, 1, 64, 64)
    columns = torch.arange(128) / 2
    slow, fast = (0.1 * torch.sin(torch.pi * share * columns).expand(1, 1, 128, 128) for share in (0.03, 0.9))
    assert rms(CLEAN.project(slow, measured, 2)) < 0.1 * rms(slow)
    assert rms(CLEAN.project(fast, measured, 2)) > 0.99 * rms(fast)


def test_the_bands_width_is_its_half_amplitude_frequency():
    columns = torch.arange(200.0)
    for width in (0.25, 0.5):
        wave = torch.cos(torch.pi * width * columns).expand(1, 1, 200, 200)
        passed = HeldBand(width).deviation(torch.zeros(1, 1, 400, 400), wave, 2)
        assert float(passed[..., 50:150, 50:150].abs().max()) == pytest.approx(0.5, abs=0.02)


def test_the_tolerance_is_twice_the_noise_that_passes_the_low_pass():
    band = HeldBand(0.25, noise=0.05)
    passed = band.deviation(torch.zeros(1, 1, 800, 800), 0.05 * torch.randn(1, 1, 400, 400), 2)
    assert band.tolerance == pytest.approx(2 * float(passed.std()), rel=0.05)
    assert CLEAN.tolerance == 0


def test_deviations_under_the_noise_are_left(fine):
    measured, band = area_average(fine, 2), HeldBand(0.25, noise=0.2)
    below = fine + 0.95 * band.tolerance
    torch.testing.assert_close(band.project(below, measured, 2), below, atol=1e-6, rtol=0)
    beyond = band.project(fine + 5 * band.tolerance, measured, 2)
    torch.testing.assert_close(beyond, fine + band.tolerance, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(2, 2), (3, 40), (5, 5)], ids=str)
def test_slices_of_a_few_voxels_are_held_too(size):
    measured = torch.rand(1, 1, *size)
    held = CLEAN.project(F.interpolate(measured, scale_factor=2) + 0.2, measured, 2)
    assert held.isfinite().all()
    assert abs(float(held.mean() - measured.mean())) < 0.02


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_small_kernel_gives_what_upsampling_and_averaging_give(factor):
    image = torch.randn(2, 1, 13, 9)
    fine = F.interpolate(image, scale_factor=factor, mode="bicubic", align_corners=False)
    assert torch.allclose(upsampled_and_averaged(image, factor), area_average(fine, factor), atol=1e-5)
