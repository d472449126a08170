"""The noise in the air around the body is the scan's."""

import pytest
import torch

from SuperResolutionLib.acquisition.noise import add_rician_noise
from Training.degradation.learned.noise_of_air import noise_of_air


def head(noise, air=0.0, share=0.5, size=120):
    """Slices of a bright square that fills ``share`` of their sides, in air of signal ``air``, with Rician noise."""
    slices = torch.full((4, size, size), air)
    inner = slice(round(size * (1 - share) / 2), round(size * (1 + share) / 2))
    slices[:, inner, inner] = 0.6
    return add_rician_noise(slices, noise, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.05])
def test_the_noise_of_the_air_is_that_of_the_scan(noise):
    assert noise_of_air([head(noise)]) == pytest.approx(noise, rel=0.05)
    assert noise_of_air([head(noise, air=0.8 * noise)]) == pytest.approx(noise, rel=0.1)


def test_a_scan_without_air_or_with_its_background_cut_out_tells_no_noise():
    assert noise_of_air([head(0.02, share=1.0) - 0.4]) is None
    cut = head(0.02)
    assert noise_of_air([cut * (cut > 0.3)]) is None
    assert noise_of_air([torch.zeros(2, 40, 40)]) is None


def test_a_small_part_with_fainter_noise_does_not_count():
    slices = head(0.02)
    slices[:, :20, :60] = head(0.005)[:, :20, :60]
    assert noise_of_air([slices]) == pytest.approx(0.02, rel=0.1)
