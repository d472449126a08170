"""A scanner's noise as it is added, and the level that is seen in slices."""

import math

import numpy as np
import pytest
import torch

from SuperResolutionLib.acquisition.noise import add_quantum_noise, add_rician_noise, noise_level


def slices_of(volume):
    return torch.from_numpy(volume.voxels / 1000.0).float()[:, None]


def test_rician_noise_is_rayleigh_in_air_and_gaussian_in_bright_tissue():
    generator = torch.Generator().manual_seed(3)
    air = add_rician_noise(torch.zeros(1, 1, 400, 400), 0.05, generator)
    assert air.min() >= 0
    assert float(air.mean()) == pytest.approx(0.05 * math.sqrt(math.pi / 2), rel=0.01)
    tissue = add_rician_noise(torch.ones(1, 1, 400, 400), 0.05, generator)
    assert float(tissue.std()) == pytest.approx(0.05, rel=0.02)
    assert float(tissue.mean()) == pytest.approx(1 + 0.05**2 / 2, abs=5e-4)


def test_noise_is_drawn_from_the_generator_and_may_differ_from_image_to_image():
    image = torch.ones(2, 1, 64, 64)
    sigma = torch.tensor([0.0, 0.1]).reshape(2, 1, 1, 1)
    noisy, again = (add_rician_noise(image, sigma, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(noisy, again)
    assert torch.equal(noisy[0], image[0])
    assert float(noisy[1].std()) == pytest.approx(0.1, rel=0.1)


def test_quantum_noise_keeps_the_mean_and_has_the_spectrum_of_a_ramp_and_the_kernels_mtf():
    generator = torch.Generator().manual_seed(2)
    noise = add_quantum_noise(torch.full((64, 1, 64, 64), -1000.0, dtype=torch.float64), 20.0, generator, f50=0.3)
    assert float(noise.mean()) == pytest.approx(-1000, abs=1e-6)
    assert float(noise.std()) == pytest.approx(20, rel=0.02)
    power = torch.fft.fft2(noise + 1000).abs().square().mean(dim=(0, 1))[0, 1:32]
    frequency = torch.arange(1, 32) / 64
    expected = frequency * 0.25 ** ((frequency / 0.3) ** 2)
    np.testing.assert_allclose(power / power.sum(), expected / expected.sum(), atol=0.015)


@pytest.mark.parametrize("sigma", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("kind", ["gaussian", "rician"])
def test_the_noise_level_of_a_noisy_phantom_is_right_within_a_factor_of_2(make_phantom, kind, sigma):
    clean = slices_of(make_phantom((5, 160, 176), float))
    noise = {
        "gaussian": lambda: clean + sigma * torch.randn(clean.shape),
        "rician": lambda: add_rician_noise(clean, sigma),
    }
    assert sigma / 2 <= noise_level(noise[kind]()[:, 0].numpy()) <= 2 * sigma


def test_the_noise_level_is_found_where_the_air_was_masked_to_zero(make_phantom):
    clean = slices_of(make_phantom((5, 160, 176), float))
    noisy = torch.where(clean > 0, clean + 0.02 * torch.randn(clean.shape), 0)
    assert 0.01 <= noise_level(noisy[:, 0].numpy()) <= 0.04


def test_fine_texture_in_most_of_the_image_is_not_taken_for_noise():
    texture = 0.2 * torch.rand(3, 1, 128, 128)
    texture[..., :32] = 0.1
    assert 0.005 <= noise_level((texture + 0.01 * torch.randn(texture.shape))[:, 0].numpy()) <= 0.02


def test_a_clean_phantom_has_next_to_no_noise(make_phantom):
    assert noise_level(slices_of(make_phantom((5, 160, 176), float))[:, 0].numpy()) < 0.002
    assert noise_level(np.zeros((3, 64, 64), np.float32)) == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (15, 15), (17, 31)], ids=str)
def test_the_noise_level_of_slices_of_any_size_is_a_number(size):
    assert 0 <= noise_level(np.random.rand(1, *size).astype(np.float32)) < 1
