"""Cubic convolution by one convolution, against PyTorch's own."""

import pytest
import torch
from torch.nn import functional as F

from SuperResolutionLib.models.networks.cubic import added_to_cubic, cubic_upsampled, shuffled


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 5, 7), (1, 1, 24, 17)])
def test_it_is_the_cubic_convolution_of_pytorch(factor, shape):
    image = torch.rand(shape, dtype=torch.float64)
    expected = F.interpolate(image, scale_factor=factor, mode="bicubic", align_corners=False)
    torch.testing.assert_close(cubic_upsampled(image, factor), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_channels_are_shuffled_as_pytorch_shuffles_them(layout):
    channels = torch.rand(2, 9, 4, 6).contiguous(memory_format=layout)
    assert torch.equal(shuffled(channels, 3), F.pixel_shuffle(channels, 3))


def test_a_residual_is_added_to_it():
    residual, image = torch.rand(2, 16, 4, 6), torch.rand(2, 1, 4, 6)
    expected = F.pixel_shuffle(residual, 4) + cubic_upsampled(image, 4)
    torch.testing.assert_close(added_to_cubic(residual, image, 4), expected)


def test_it_stays_float32_where_a_network_runs_in_half_precision():
    image = torch.rand(1, 1, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        fine = added_to_cubic(torch.zeros(1, 4, 6, 6, dtype=torch.bfloat16), image, 2)
    assert torch.equal(fine, cubic_upsampled(image, 2))


def test_training_differentiates_through_what_a_run_used_first():
    with torch.inference_mode():
        cubic_upsampled(torch.rand(1, 1, 4, 4), 5)
    image = torch.rand(1, 1, 4, 4, requires_grad=True)
    cubic_upsampled(image, 5).sum().backward()
    assert float(image.grad.sum()) == pytest.approx(16 * 25, rel=1e-5)
