"""The lattice term sees patterns at the coarse grid, and not noise."""

import pytest
import torch

from Training.losses.lattice import LatticeLoss


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
