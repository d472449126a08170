"""The consistency term costs what leaves the held band, and nothing else."""

import pytest
import torch

from SuperResolutionLib.acquisition.operators import area_average
from Training.losses.consistency import ConsistencyLoss


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
