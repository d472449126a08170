"""The adversarial terms have the values of their papers' formulas and push in the right direction."""

import math

import pytest
import torch

from Training.losses.adversarial import AdversarialLoss, feature_matching


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
