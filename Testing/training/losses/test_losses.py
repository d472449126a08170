"""The loss terms have the values of their papers' formulas and push in the right direction."""

import math

import pytest
import torch

from SuperResolutionLib.acquisition.operators import area_average
from Training.losses.losses import (
    AdversarialLoss,
    ConsistencyLoss,
    LatticeLoss,
    PixelLoss,
    feature_matching,
    steepness_distance,
)


@pytest.mark.parametrize("kind, value", [("l1", 0.1), ("mse", 0.01), ("charbonnier", math.sqrt(0.01 + 1e-6))])
def test_the_pixel_losses_of_a_constant_error_are_their_closed_forms(kind, value):
    truth = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert PixelLoss(kind)(truth + 0.1, truth).item() == pytest.approx(value, rel=1e-4)


def test_an_unknown_pixel_loss_is_refused():
    with pytest.raises(ValueError, match="'l1', 'mse' or 'charbonnier', not 'l3'"):
        PixelLoss("l3")


@pytest.mark.parametrize("relativistic", [False, True])
def test_an_undecided_discriminator_costs_log_two(relativistic):
    loss, logits = AdversarialLoss(relativistic), torch.zeros(4, 1, 2, 2)
    assert loss.generator(logits, logits).item() == pytest.approx(math.log(2))
    assert loss.discriminator(logits, logits).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("relativistic", [False, True])
def test_the_two_players_want_opposite_things(relativistic):
    loss = AdversarialLoss(relativistic)
    low, high = torch.full((3, 1), -2.0), torch.full((3, 1), 2.0)
    assert loss.discriminator(low, high) < loss.discriminator(high, low)
    assert loss.generator(high, low) < loss.generator(low, high)


def test_only_the_relativistic_loss_compares_with_the_other_kind():
    fake, shift = torch.full((3, 1), 1.0), 5.0
    plain, relativistic = AdversarialLoss(False), AdversarialLoss(True)
    assert plain.generator(fake, fake) == plain.generator(fake, fake + shift)
    assert relativistic.generator(fake, fake + shift) > relativistic.generator(fake, fake)
    assert relativistic.generator(fake, fake).item() == pytest.approx(
        relativistic.generator(fake + shift, fake + shift).item(), rel=1e-5
    )


def test_the_real_side_gets_no_gradient_from_the_generators_losses():
    fake, real = (torch.zeros(2, 1, requires_grad=True) for _ in range(2))
    (AdversarialLoss(True).generator(fake, real) + feature_matching([fake], [real + 1])).backward()
    assert fake.grad.abs().sum() > 0
    assert real.grad is None


def test_feature_matching_is_the_mean_distance_of_the_layers():
    ours = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 8)]
    theirs = [torch.full((1, 2, 4, 4), 0.5), torch.full((1, 8), -1.5)]
    assert feature_matching(ours, theirs).item() == pytest.approx(1.0)


def test_consistency_costs_nothing_for_a_constant_and_the_square_of_an_offset():
    coarse = torch.full((1, 1, 24, 24), 0.4)
    loss = ConsistencyLoss(0.25)
    assert loss(torch.full((1, 1, 96, 96), 0.4), coarse, 4).item() == pytest.approx(0, abs=1e-10)
    assert loss(torch.full((1, 1, 96, 96), 0.5), coarse, 4).item() == pytest.approx(0.01, rel=1e-3)


def test_consistency_leaves_detail_beyond_the_band_free():
    generator = torch.Generator().manual_seed(0)
    fine = torch.rand(1, 1, 96, 96, generator=generator)
    detail = torch.where(torch.arange(96) % 2 == 0, 0.2, -0.2).expand(1, 1, 96, 96)
    loss, coarse = ConsistencyLoss(0.25), area_average(fine, 4)
    assert loss(fine + detail, coarse, 4).item() == pytest.approx(loss(fine, coarse, 4).item(), abs=1e-8)


def test_the_lattice_term_sees_a_pattern_at_the_coarse_grid_and_less_of_noise():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(2, 1, 64, 64, generator=generator)
    cell = torch.randn(4, 4, generator=generator)
    pattern = ((cell - cell.mean()) / cell.std(correction=0)).tile(16, 16)
    noise = torch.randn(truth.shape, generator=generator)
    loss = LatticeLoss(4)
    assert loss(truth, truth).item() == 0
    assert loss(truth + 0.1 * pattern, truth).item() > 6 * loss(truth + 0.1 * noise, truth).item()
    assert loss(truth + 0.3, truth).item() == pytest.approx(0, abs=1e-10)


def test_the_lattice_term_sees_a_comb_along_an_edge_in_full_and_not_an_edge_that_is_wrong_all_along():
    truth = torch.zeros(1, 1, 64, 64)
    wrong, comb = truth.clone(), truth.clone()
    wrong[..., 30] = 0.1
    comb[..., 30] = 0.1 * torch.tensor([1.0, 1.0, -1.0, -1.0]).tile(16)
    loss = LatticeLoss(4)
    expected = comb.square().mean().item()
    assert loss(comb, truth).item() > expected
    assert loss(comb.transpose(-2, -1), truth).item() == pytest.approx(loss(comb, truth).item())
    assert loss(wrong, truth).item() < expected / 4


def test_the_steepness_term_asks_for_an_edge_as_steep_wherever_near_it_lies():
    place = torch.arange(32.0).expand(1, 1, 32, 32)
    edge, moved, turned = ((x > 15).float() for x in (place, place - 1, place.transpose(-2, -1)))
    mean = torch.stack([torch.roll(edge, shift, -1) for shift in range(-2, 3)]).mean(dim=0)
    inside = (..., slice(None), slice(3, -3))
    near = steepness_distance(moved[inside], edge[inside])
    assert steepness_distance(mean[inside], edge[inside]) > 1.5 * near > 0
    assert steepness_distance(turned, turned + 1).item() == pytest.approx(0, abs=1e-6)
    assert steepness_distance(0.1 * place, 0.2 * place).item() == pytest.approx(0.1, rel=1e-3)
