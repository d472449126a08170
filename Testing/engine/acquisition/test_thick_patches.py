"""A thin patch and what it is when made thick show the same place of a slice."""

import numpy as np
import pytest
import torch

from SuperResolutionLib.acquisition.slice_profile import PROFILES
from SuperResolutionLib.acquisition.thick_patches import (
    AREA,
    MOST_SLICES,
    ThinPatch,
    draw_patch,
    flipped_alike,
    noise_in_thick,
    slices_within,
)


@pytest.fixture
def ramp():
    """A slice whose voxels name their own place."""
    return 1000.0 * torch.arange(80)[:, None] + torch.arange(100)


@pytest.mark.parametrize("profile", PROFILES)
def test_thick_slices_lie_about_the_centre_of_the_thin_ones(ramp, profile):
    patch = ThinPatch(torch.stack([ramp, ramp + 7]), 20, 41)
    thick = patch.thick(10, 4.0, 0.9, profile)
    assert thick.shape == (2, 10, 100) and patch.thin.shape == (41, 100)
    torch.testing.assert_close(thick[0].mean(dim=0), patch.thin.mean(dim=0), atol=0.05, rtol=0)
    torch.testing.assert_close(thick[0].diff(dim=0), torch.full((9, 100), 4000.0), atol=0.05, rtol=0)
    torch.testing.assert_close(thick[1], thick[0] + 7)


def test_a_patch_is_a_random_part_of_the_slice_of_a_given_area(ramp):
    slices = slices_within(60, 2.5)
    assert slices == 23 and slices_within(1000, 2.5) == MOST_SLICES
    drawn = [draw_patch(ramp[None], 57, slices, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    for patch in drawn:
        first = patch.thin[0, 0]
        rows, columns = patch.thin.shape
        assert (rows, columns) == (57, AREA // slices)
        assert first == 1000 * patch.top + patch.strip[0, 0, 0]
        assert torch.equal(patch.thin, ramp[int(first) // 1000 :, int(first) % 1000 :][:rows, :columns])
    assert torch.equal(drawn[0].thin, drawn[1].thin) and not torch.equal(drawn[0].thin, drawn[2].thin)


def test_a_slice_narrower_than_the_area_is_taken_whole(ramp):
    patch = draw_patch(ramp[None, :, :30].half(), 20, 4, np.random.default_rng(0))
    assert patch.strip.shape == (1, 80, 30) and patch.strip.dtype == torch.float32


def test_both_are_flipped_alike_in_each_of_the_four_ways(ramp):
    patch = ThinPatch(ramp[None], 0, 80)
    thick, seen = patch.thick(20, 4.0, 1.0), set()
    for seed in range(20):
        turned = flipped_alike(thick, patch.thin, np.random.default_rng(seed))
        signs = [(bool(part[-1, 0] > part[0, 0]), bool(part[0, -1] > part[0, 0])) for part in (turned[0][0], turned[1])]
        assert signs[0] == signs[1]
        seen.add(signs[0])
    assert len(seen) == 4


def test_thick_slices_average_the_noise_of_thin_ones():
    noise = torch.randn(1, 400, 300, generator=torch.Generator().manual_seed(0))
    thick = ThinPatch(0.1 * noise, 0, 400).thick(99, 4.0, 1.0, "boxcar")
    assert noise_in_thick(0.1, 4.0, 1.0) == pytest.approx(float(thick.std()), rel=0.05)
    assert noise_in_thick(0.1, 1.25, 0.6) == 0.1
