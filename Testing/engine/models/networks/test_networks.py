"""What both networks of the slice plane keep: their stated sizes, cubic interpolation at zero weights, the halo."""

import pytest
import torch
from torch.nn import functional as F

from SuperResolutionLib.models.networks import NETWORKS, CompactNet, RRDBNet


def test_the_networks_have_the_sizes_that_their_descriptions_state():
    def millions(network):
        return sum(parameter.numel() for parameter in network.parameters()) / 1e6

    with torch.device("meta"):
        assert millions(CompactNet(4)) == pytest.approx(0.45, abs=0.005)
        assert millions(RRDBNet(4, growth=32, blocks=23, dense="plain", upsampling="nearest")) == pytest.approx(
            16.7, 0.01
        )
        one_block = 3 * sum(64 * 9 * channels + 64 for channels in (64, 128, 256, 512, 1024)) / 1e6
        assert millions(RRDBNet(4, blocks=2)) - millions(RRDBNet(4, blocks=1)) == pytest.approx(one_block)


@pytest.mark.parametrize("kind", ["CompactNet", "RRDBNet"])
def test_a_residual_network_with_zero_weights_is_cubic_interpolation(kind):
    network = NETWORKS[kind](4, 4, **({} if kind == "CompactNet" else {"growth": 4, "output": "residual"}))
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    image = torch.rand(1, 1, 9, 8) * 3
    torch.testing.assert_close(network(image), F.interpolate(image, scale_factor=4, mode="bicubic"))


HALO_CASES = [
    *[("CompactNet", {"factor": factor, "blocks": blocks}) for factor in (2, 4) for blocks in (0, 1, 3, 7)],
    *[("CompactNet", {"factor": 2, "blocks": blocks, "dilation": 3}) for blocks in (1, 4)],
    *[
        ("RRDBNet", {"growth": 4, "factor": factor, "blocks": blocks, "upsampling": upsampling, "dense": dense})
        for factor, blocks, dense in ((2, 1, "plain"), (4, 1, "nested"), (8, 1, "plain"), (4, 2, "plain"))
        for upsampling in ("pixel_shuffle", "nearest", "subpixel")
    ],
]


@pytest.mark.parametrize("kind, arguments", HALO_CASES, ids=str)
def test_the_halo_covers_the_receptive_field_and_little_more(kind, arguments):
    output = {} if kind == "CompactNet" else {"output": "residual"}
    network = NETWORKS[kind](width=4, **output, **arguments).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.rand_like(parameter) / parameter[0].numel())  # positive: no influence cancels
    centre, factor = network.halo + 4, network.factor
    image = torch.rand(1, 1, 2 * centre + 1, 2 * centre + 1, dtype=torch.float64, requires_grad=True)
    fine_pixels = slice(factor * centre, factor * (centre + 1))
    network(image)[..., fine_pixels, fine_pixels].square().sum().backward()
    touched = image.grad[0, 0].nonzero() - centre
    reach = int(touched.abs().max())
    assert reach <= network.halo
    assert reach >= network.halo - 2
