"""The steepness term asks for steep edges, wherever near they lie."""

import pytest
import torch

from Training.losses.steepness import steepness_distance


def test_the_steepness_term_asks_for_an_edge_as_steep_wherever_near_it_lies():
    place = torch.arange(32.0).expand(1, 1, 32, 32)
    edge, moved, turned = ((x > 15).float() for x in (place, place - 1, place.transpose(-2, -1)))
    mean = torch.stack([torch.roll(edge, shift, -1) for shift in range(-2, 3)]).mean(dim=0)
    inside = (..., slice(None), slice(3, -3))
    near = steepness_distance(moved[inside], edge[inside])
    assert steepness_distance(mean[inside], edge[inside]) > 1.5 * near > 0
    assert steepness_distance(turned, turned + 1).item() == pytest.approx(0, abs=1e-6)
    assert steepness_distance(0.1 * place, 0.2 * place).item() == pytest.approx(0.1, rel=1e-3)
