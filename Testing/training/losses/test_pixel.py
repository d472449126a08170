"""The pixel losses have the values of their formulas."""

import math

import pytest
import torch

from Training.losses.pixel import PixelLoss


@pytest.mark.parametrize("kind, value", [("l1", 0.1), ("mse", 0.01), ("charbonnier", math.sqrt(0.01 + 1e-6))])
def test_the_pixel_losses_of_a_constant_error_are_their_closed_forms(kind, value):
    truth = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert PixelLoss(kind)(truth + 0.1, truth).item() == pytest.approx(value, rel=1e-4)


def test_an_unknown_pixel_loss_is_refused():
    with pytest.raises(ValueError, match="'l1', 'mse' or 'charbonnier', not 'l3'"):
        PixelLoss("l3")
