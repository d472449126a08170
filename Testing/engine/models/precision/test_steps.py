"""Values in 256 steps."""

import pytest
import torch

from SuperResolutionLib.models.precision import steps
from SuperResolutionLib.models.precision.steps import in_steps, shared_zero


@pytest.mark.parametrize("ranges", [[(0.0, 3.0)], [(-2.0, 0.0)], [(-1.0, 1.0), (-0.1, 2.0)], [(0.5, 7.0), (0.0, 0.0)]])
def test_every_range_and_zero_have_their_steps(ranges):
    zero, sizes = shared_zero(ranges)
    for (lowest, highest), step in zip(ranges, sizes):
        values = torch.tensor([lowest, highest, 0.0])
        back = (in_steps(values, step, zero).float() - zero) * step
        torch.testing.assert_close(back, values, atol=0.51 * step, rtol=0)
        assert back[2] == 0


def test_one_range_alone_uses_all_steps():
    zero, (step,) = shared_zero([(-1.0, 4.0)])
    assert step == pytest.approx(5 / 255, rel=0.01)
    assert zero == 51


@pytest.mark.parametrize("count", [steps._in_one_pass, steps._in_passes])
def test_values_are_rounded_and_clamped_in_their_layout(count):
    if count is steps._in_one_pass and steps._counter() is not count:
        pytest.skip("this PyTorch counts in passes")
    values = (4 * torch.randn(2, 5, 7, 9)).contiguous(memory_format=torch.channels_last)
    counted = count(values, 0.0137, 100)
    expected = ((values.double() / 0.0137).round() + 100).clamp(0, 255)
    assert counted.dtype == torch.uint8 and counted.is_contiguous(memory_format=torch.channels_last)
    # A value midway between two steps may go to either.
    assert (counted.double() - expected).abs().max() <= 1
    assert (counted.double() != expected).double().mean() < 1e-3
    assert {0, 255} <= set(counted.flatten().tolist())
