"""Slices as a network sees them: which lie beside which, and when none is shown."""

import numpy as np
import pytest
import torch

from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.models.networks import FARTHEST_APART
from SuperResolutionLib.upscaling.shown_slices import ShownSlices, distance_in_pixels

SCALE = IntensityScale(100.0, 300.0)
STACK = np.arange(6, dtype=np.int16)[:, None, None] * 10 + np.full((6, 4, 5), 100, np.int16)


def numbers(shown):
    """The number of the slice that is in each image channel."""
    return (shown[:, :5, 0, 0] * 20).round().int().tolist()


def test_each_slice_is_followed_by_those_beside_it_and_the_last_repeats():
    shown = ShownSlices(STACK, SCALE, 2, 0.01, 1.0)
    assert numbers(shown(0, 2)) == [[0, 0, 1, 0, 2], [1, 0, 2, 0, 3]]
    assert numbers(shown(4, 6)) == [[4, 3, 5, 2, 5], [5, 4, 5, 3, 5]]


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_it_does_not_matter_how_many_slices_are_taken_at_once(at_once):
    shown = ShownSlices(STACK, SCALE, 2, 0.01, 1.0)
    parts = [shown(start, min(start + at_once, 6)) for start in range(0, 6, at_once)]
    torch.testing.assert_close(torch.cat(parts), shown(0, 6), atol=0, rtol=0)


def test_far_slices_and_single_ones_stand_for_those_beside_them():
    far = ShownSlices(STACK, SCALE, 2, 0.01, 1.01 * FARTHEST_APART)(2, 3)
    assert numbers(far) == [[2] * 5] and (far[:, 6] == 0).all()
    single = ShownSlices(STACK[2:3], SCALE, 2, 0.01, 1.0)(0, 1)
    torch.testing.assert_close(single, far, atol=0, rtol=0)


def test_a_network_without_neighbours_is_shown_the_slice_alone():
    shown = ShownSlices(STACK, SCALE, 0, 0.01, 1.0)(1, 3)
    torch.testing.assert_close(shown, torch.from_numpy(SCALE.normalise(STACK[1:3]))[:, None], atol=0, rtol=0)


def test_the_distance_is_counted_in_pixels_of_the_slices():
    assert distance_in_pixels((0.5, 2.0, 3.0), 2) == 3.0
    assert distance_in_pixels((0.5, 2.0, 8.0), 0) == 0.125
