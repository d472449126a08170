"""What scanners leave in thick slices: noise of the right strength and grain, gains, slices out of place."""

import numpy as np
import pytest
import torch

from SuperResolutionLib.acquisition.noise import noise_level
from SuperResolutionLib.models.networks import neighbour_offsets
from Training.degradation.thick_slices import ThickSliceNoise, misplaced, uneven_gains


@pytest.mark.parametrize("kind", ["mri", "ct"])
def test_noise_is_told_as_it_would_be_measured_in_the_slices(kind):
    draw, offsets = ThickSliceNoise(kind), neighbour_offsets(7)
    ratios = []
    for seed in range(30):
        noisy, told = draw(torch.full((15, 32, 64), 2.0), 0.002 * seed, np.random.default_rng(seed))
        assert 0 <= told <= 0.07
        in_order = noisy[torch.tensor(offsets).argsort()]
        slices = torch.cat([in_order, in_order[-1:]]).swapaxes(0, 1)  # as many as the estimator's blocks are high
        if told > 0.003:
            ratios.append(told / noise_level(np.ascontiguousarray(slices.numpy())))
    # MRI's is told as if some of it were measured in air, where it is less.
    assert len(ratios) > 20 and 1 / 1.5 < np.median(ratios) < 1.5


def test_noise_differs_from_reformat_to_reformat():
    noisy, _ = ThickSliceNoise("mri")(torch.ones(5, 32, 64), 0.06, np.random.default_rng(0))
    correlations = np.corrcoef((noisy - 1).flatten(1).numpy())
    assert np.abs(correlations - np.eye(5)).max() < 0.9


def test_gains_are_the_slices_own_and_the_same_in_all_reformats():
    thick = torch.rand(5, 12, 30) + 0.5
    gains = torch.stack([uneven_gains(thick, np.random.default_rng(seed)) / thick for seed in range(20)])
    torch.testing.assert_close(gains, gains[:, :1, :, :1].expand_as(gains))
    assert gains.min() >= 0.8 - 1e-6 and gains.max() <= 1.2 + 1e-6 and gains.std() > 0.02


def test_only_neighbours_are_out_of_place():
    thick = torch.rand(5, 6, 30)
    moved = misplaced(thick, np.random.default_rng(1))
    assert torch.equal(moved[0], thick[0])
    assert not any(torch.allclose(moved[channel], thick[channel]) for channel in range(1, 5))
