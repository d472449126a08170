"""Networks in 8 bits stay close to float32, and only their wide convolutions change."""

import pytest
import torch

from SuperResolutionLib.models.bundles import find_model
from SuperResolutionLib.models.networks import CompactNet, RRDBNet, ThroughPlaneNet
from SuperResolutionLib.models.precision.int8 import in_int8, wide_convolutions
from SuperResolutionLib.models.precision.onednn import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is one")


def scene(count=2, size=48):
    """Smooth structure of about [0, 1] with an edge."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(count, 1, size // 8, size // 8, generator=generator)
    image = torch.nn.functional.interpolate(small, size=(size, size), mode="bicubic")
    image[..., size // 2 :, : size // 3] += 0.4
    return image


@pytest.mark.parametrize("name", ["mri-x4-compact", "mri-x2-compact", "mri-x4-rrdb"])
def test_the_shipped_networks_change_by_less_than_half_a_percent(name):
    network, image = find_model(name).load(0.0), scene()
    with torch.inference_mode():
        changed = in_int8(network, lambda called: called(image))
        difference = changed(image) - network(image)
    assert 0 < difference.square().mean().sqrt() < 0.005


def test_the_network_through_the_slices_changes_by_less_than_half_a_percent():
    network, image = find_model("mri-through-plane").load(0.0), scene()
    with torch.inference_mode():
        changed = in_int8(network, lambda called: called(image, 3.0, 1.0))
        difference = changed(image, 3.0, 1.0) - network(image, 3.0, 1.0)
    assert 0 < difference.square().mean().sqrt() < 0.005


def test_parts_of_a_concatenation_have_scales_of_their_own():
    """One part is ten thousand times as strong as the next: with one scale for both the weak one would vanish."""
    torch.manual_seed(1)
    network = RRDBNet(2, 32, 32, 1, dense="plain", upsampling="subpixel", output="residual").eval()
    with torch.no_grad():
        for block in network.body[0].blocks:
            block.convolutions[0].weight.mul_(1e-4), block.convolutions[0].bias.mul_(1e-4)
            for convolution in list(block.convolutions)[1:]:
                convolution.weight[:, 32:64] *= 1e4
    image = scene()
    with torch.inference_mode():
        exact = network(image)
        difference = in_int8(network, lambda called: called(image))(image) - exact
        bicubic = torch.nn.functional.interpolate(image, scale_factor=2, mode="bicubic")
    assert difference.std() < 0.03 * (exact - bicubic).std()


def test_nested_concatenations_are_right_too():
    torch.manual_seed(1)
    network, image = RRDBNet(2, 32, 32, 1, upsampling="subpixel", output="residual").eval(), scene(1, 32)
    with torch.inference_mode():
        exact = network(image)
        difference = in_int8(network, lambda called: called(image))(image) - exact
    assert difference.std() < 0.01 * exact.std()


def test_the_first_convolution_and_others_of_few_weights_stay_as_they_are():
    network = CompactNet(4, 64, 2)
    assert network.head not in wide_convolutions(network) and network.tail in wide_convolutions(network)
    assert len(wide_convolutions(network)) == 5
    assert len(wide_convolutions(CompactNet(2, 64, 2))) == 4
    assert wide_convolutions(CompactNet(4, 16, 2)) == []
    assert len(wide_convolutions(ThroughPlaneNet(8, 64, 2))) == 5


def test_the_network_that_was_given_is_not_changed():
    network, image = CompactNet(2, 32, 1).eval(), scene()
    with torch.inference_mode():
        before = network(image)
        in_int8(network, lambda called: called(image))
        assert torch.equal(network(image), before)
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_pixels_answer_does_not_depend_on_the_image_around_it_beyond_the_halo():
    network, image = CompactNet(2, 32, 1).eval(), scene(1, 48)
    halo = network.halo
    with torch.inference_mode():
        changed = in_int8(network, lambda called: called(image))
        whole, part = changed(image), changed(image[..., 8:40, 5:44])
    inside = part[..., 2 * halo : -2 * halo, 2 * halo : -2 * halo]
    expected = whole[..., 16 + 2 * halo : 80 - 2 * halo, 10 + 2 * halo : 88 - 2 * halo]
    torch.testing.assert_close(inside, expected, atol=1e-6, rtol=0)
