"""A hidden kernel and noise are found, from other images."""

import numpy as np
import pytest
import torch

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.errors import InputError
from Training.degradation.learned import patches
from Training.degradation.learned.estimator import learn_degradation

FACTOR = 2


@pytest.fixture(scope="module")
def found(degradation, textured_slices, coarse_slices):
    sharp = [textured_slices(1), textured_slices(2)]
    return learn_degradation([coarse_slices(degradation(), 9)], sharp, FACTOR, iterations=20, spacing=(1.0, 1.5))


def test_a_hidden_anisotropic_kernel_and_noise_are_found_from_other_images(found, degradation):
    truth = degradation()
    assert found.fwhm_voxels == pytest.approx(truth.fwhm_voxels, rel=0.15)
    assert found.noise == pytest.approx(truth.noise, rel=0.2)


def test_a_narrow_kernel_with_much_noise_is_found_by_the_spectrum_alone(degradation, textured_slices, coarse_slices):
    truth = degradation(0.9, 0.9, 0.04)
    found = learn_degradation([coarse_slices(truth, 8)], [textured_slices(1), textured_slices(2)], FACTOR, 0)
    assert found.fwhm_voxels == pytest.approx(truth.fwhm_voxels, rel=0.15)
    assert found.noise == pytest.approx(truth.noise, rel=0.2)


def test_noise_that_the_sharp_scans_have_too_is_not_learned_again(degradation, textured_slices):
    j, i = torch.meshgrid(torch.arange(176), torch.arange(176), indexing="ij")
    body = torch.hypot(j - 87.5, i - 87.5) < 75
    own = [
        add_rician_noise(body * textured_slices(seed), 0.02, torch.Generator().manual_seed(seed)) for seed in (1, 2, 9)
    ]
    truth = degradation(0.8, 0.8, 0.01)
    coarse = truth.operator(own[2][:, None], FACTOR)
    coarse = add_rician_noise(coarse, truth.noise, torch.Generator().manual_seed(0))[:, 0]
    too_small = torch.ones(3, 6, 6)
    found = learn_degradation([coarse], [*own[:2], too_small], FACTOR, iterations=0)
    assert found.noise == pytest.approx(truth.noise, rel=0.05)
    assert found.fwhm_voxels == pytest.approx(truth.fwhm_voxels, rel=0.15)


def test_the_learned_kernel_is_normalised_and_centred_and_never_negative(found):
    assert found.kernel.sum() == pytest.approx(1)
    assert (found.kernel >= 0).all()
    offsets = np.arange(len(found.rows)) - (len(found.rows) - 1) / 2
    assert abs(found.kernel.sum(axis=1) @ offsets) < 1e-6
    assert abs(found.kernel.sum(axis=0) @ offsets) < 1e-6


def test_learning_repeats_by_its_seed(monkeypatch, degradation, textured_slices, coarse_slices):
    monkeypatch.setattr(patches, "PATCHES", 100)
    coarse, sharp = [coarse_slices(degradation(), 9)], [textured_slices(1)]
    first, second = (learn_degradation(coarse, sharp, FACTOR, iterations=2, seed=3) for _ in range(2))
    assert first == second


def test_slices_too_small_or_too_dark_and_factors_below_two_are_refused(textured_slices):
    image = textured_slices(0, count=2, size=64)
    with pytest.raises(InputError, match="coarse scan must have slices"):
        learn_degradation([image[:, :8, :8]], [image], FACTOR)
    with pytest.raises(InputError, match="sharp scans hold too little tissue"):
        learn_degradation([image], [0.1 * image], FACTOR)
    with pytest.raises(InputError, match="give 2 or more"):
        learn_degradation([image], [image], 1)
