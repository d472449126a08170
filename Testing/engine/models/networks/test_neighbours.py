"""What slice-plane networks are shown beside a slice, and what they make of it."""

import pytest
import torch

from SuperResolutionLib.models.networks import CompactNet, RRDBNet, neighbour_offsets, slice_channels, with_told
from SuperResolutionLib.models.networks.neighbours import shown_images

SEEING = {
    "compact": lambda: CompactNet(2, 8, 2, neighbours=2),
    "RRDB": lambda: RRDBNet(2, 8, 4, dense="plain", upsampling="subpixel", output="residual", neighbours=2),
}


@pytest.fixture(params=SEEING)
def seeing(request):
    torch.manual_seed(0)
    return SEEING[request.param]().eval().requires_grad_(False)


def test_channels_are_the_image_itself_and_then_those_beside_it_nearest_first():
    assert neighbour_offsets(0) == [0] and neighbour_offsets(2) == [0, -1, 1, -2, 2]


def test_a_network_without_neighbours_takes_the_slice_alone():
    assert slice_channels(0) == 1 and shown_images(1) == 1
    assert slice_channels(2) == 7 and shown_images(7) == 5


def test_what_is_told_stands_in_two_constant_channels_behind_the_slices():
    shown = with_told(torch.rand(3, 5, 6, 4), noise=0.1, apart=3.0)
    assert shown.shape == (3, 7, 6, 4)
    assert (shown[:, 5] == 2.0).all() and (shown[:, 6] == 0.25).all()
    assert (with_told(torch.rand(1, 5, 6, 4), 0.0, 0.0)[:, 6] == 0).all()


def test_each_of_the_channels_changes_the_answer(seeing):
    shown = with_told(torch.rand(1, 5, 8, 8), 0.02, 1.0)
    answer = seeing(shown)
    for channel in range(7):
        changed = shown.clone()
        changed[:, channel] += 0.5
        assert not torch.allclose(seeing(changed), answer, atol=1e-4)


def test_a_slice_alone_stands_for_those_beside_it(seeing):
    alone = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(seeing(alone), seeing(with_told(alone.expand(-1, 5, -1, -1), 0.0, 0.0)))


def test_without_features_what_is_left_is_the_interpolation_of_the_slice_itself(seeing):
    for parameter in seeing.parameters():
        parameter.zero_()
    shown = with_told(torch.rand(1, 5, 8, 8), 0.02, 1.0)
    cubic = torch.nn.functional.interpolate(shown[:, :1], scale_factor=2, mode="bicubic")
    torch.testing.assert_close(seeing(shown), cubic)
