"""The measure of a pattern at the coarse grid sees such a pattern in smooth tissue, and nothing else."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from Training.reports.hatching import hatching

GRAIN = 0.01


@pytest.fixture
def scan():
    """A disc with a bright half, smooth but for grain, and the mask of the disc."""
    j, i = np.indices((192, 192))
    mask = np.broadcast_to((j - 96) ** 2 + (i - 96) ** 2 < 90**2, (2, 192, 192)).copy()
    truth = mask * (0.4 + 0.3 * (i > 96) + i / 1000)
    return truth + GRAIN * np.random.default_rng(0).standard_normal(mask.shape), mask


def pattern(factor, amplitude):
    """Return a pattern of that SD that repeats at every coarse voxel."""
    cell = np.random.default_rng(1).standard_normal((factor, factor))
    cell = amplitude * (cell - cell.mean()) / cell.std()
    return np.tile(cell, (192 // factor,) * 2)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_pattern_at_the_coarse_grid_stands_out_with_its_amplitude(scan, factor):
    truth, mask = scan
    clean, hatched = (hatching(truth + p, truth, mask, factor) for p in (0, pattern(factor, 0.01)))
    assert clean.windows == hatched.windows > 50
    assert abs(clean.peak) < 1.5
    assert hatched.peak > 10
    assert hatched.amplitude == pytest.approx(0.01, rel=0.1)
    assert clean.amplitude < 0.2 * hatched.amplitude


def test_noise_ramps_and_edges_are_no_pattern(scan):
    truth, mask = scan
    smooth = F.interpolate(torch.from_numpy(truth)[:, None], scale_factor=0.25, mode="area")
    smooth = F.interpolate(smooth, scale_factor=4, mode="bicubic")[:, 0].numpy()
    noisy = truth + 0.05 * np.random.default_rng(2).standard_normal(truth.shape)
    assert hatching(noisy, truth, mask, 4).peak < 1.5
    assert hatching(smooth, truth, mask, 4).amplitude < GRAIN / 4


def test_nothing_smooth_is_nothing_to_measure(scan):
    truth, mask = scan
    rough = truth + 0.5 * np.random.default_rng(3).standard_normal(truth.shape)
    assert hatching(rough, rough, mask, 4) is None
    assert hatching(truth, truth, np.zeros_like(mask), 4) is None
