import numpy as np
import pytest

from SuperResolutionLib.fusion.levelling import Gain, level, places_of
from SuperResolutionLib.geometry.grid import Grid

TERMS = 20  # of degree 3 in three variables


def test_the_gain_of_a_large_volume_is_its_polynomial_to_a_thousandth():
    coefficients = np.random.default_rng(0).normal(0, 0.03, TERMS)
    gain = Gain(np.full(3, -100.0), np.full(3, 100.0), coefficients)
    matrix = np.diag([1.5, 1.5, 4.0, 1.0])
    matrix[:3, 3] = -95
    grid = Grid(matrix, (120, 60, 20))
    whole = gain.of(grid)
    assert whole.shape == (20, 60, 120)
    for index in [(0, 0, 0), (50, 31, 7), (119, 59, 19)]:
        alone = Grid(matrix.copy(), (1, 1, 1)).cropped((index, tuple(at + 1 for at in index)))
        assert whole[index[::-1]] == pytest.approx(float(gain.of(alone)[0, 0, 0]), rel=1e-3)


def test_three_gains_and_a_slope_are_found_from_what_scans_share():
    grid = Grid(np.diag([6.0, 6.0, 6.0, 1.0]), (12, 12, 12))
    places = places_of(grid)
    truth = np.random.default_rng(0).uniform(50, 150, len(places))
    slope = np.exp(0.1 * (places[:, 0] - 33) / 33)
    samples = [truth, 1.2 * slope * truth, np.where(places[:, 1] > 30, 0.8 * truth, np.nan)]
    gains = level(samples, places)
    assert gains[0].typical == pytest.approx(1)
    assert gains[1].typical == pytest.approx(1.2, rel=0.01)
    assert gains[2].typical == pytest.approx(0.8, rel=0.01)
    np.testing.assert_allclose(gains[1].of(grid).ravel(), 1.2 * slope, rtol=0.01)
