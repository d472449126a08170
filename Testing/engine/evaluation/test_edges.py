import numpy as np
import pytest

from SuperResolutionLib.evaluation.edges import edge_strength


@pytest.fixture
def step():
    """A slice with one edge, 3 pixels wide, of height 100 on an offset; it takes more than a tenth of the pixels."""
    return np.tile(1000 + 100 * np.clip((np.arange(32) - 17) / 3, 0, 1), (1, 64, 1))


def test_the_truth_has_the_strength_of_1(step):
    assert edge_strength(step, step) == pytest.approx(1)


def test_half_the_contrast_is_half_the_strength_whatever_the_offset(step):
    assert edge_strength(step / 2 + 77, step) == pytest.approx(0.5, rel=1e-4)


def test_an_edge_spread_over_more_pixels_is_weaker(step):
    wide = np.tile(1000 + 100 * np.clip((np.arange(32) - 14) / 9, 0, 1), (1, 64, 1))
    assert 0.3 < edge_strength(wide, step) < 0.5


def test_what_is_drawn_where_the_truth_is_flat_adds_nothing(step):
    drawn = step.copy()
    drawn[:, :, :12] += 50 * np.random.default_rng(0).normal(size=(1, 64, 12))
    assert edge_strength(drawn, step) == pytest.approx(1)
