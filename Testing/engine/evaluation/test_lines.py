import numpy as np
import pytest

from SuperResolutionLib.evaluation.lines import line_coherence
from SuperResolutionLib.geometry.interpolation import refine


@pytest.fixture
def flat():
    flat = np.zeros((1, 96, 96), bool)
    flat[:, 16:-16, 16:-16] = True
    return flat


@pytest.mark.parametrize("angle", [0, 30, 45])
def test_parallel_lines_are_all_coherence(flat, angle):
    y, x = np.mgrid[:96, :96]
    along = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    assert line_coherence(np.sin(along / 2)[None], flat, 1) > 0.99


@pytest.mark.parametrize("factor", [2, 4])
def test_interpolated_white_noise_has_next_to_none(factor):
    noise = np.random.default_rng(0).normal(size=(2, 96, 96))
    flat = np.ones((2, 96 * factor, 96 * factor), bool)
    assert line_coherence(refine(noise, (1, factor, factor)), flat, factor) == pytest.approx(0.13, abs=0.02)


def test_what_is_not_flat_is_not_looked_at(flat):
    noise = np.random.default_rng(1).normal(size=(1, 96, 96))
    beside = noise + 100 * (np.arange(96) < 12)
    assert line_coherence(beside, flat, 1) == pytest.approx(line_coherence(noise, flat, 1), rel=1e-6)
