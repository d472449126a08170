"""The networks' shapes, SRGAN-D's nested concatenations, and that a halo covers the receptive field."""

import pytest
import torch
from torch.nn import functional as F

from SuperResolutionLib.models.networks.__init__ import NETWORKS, CompactNet, DenseBlock, RRDBNet

TINY = {"width": 4, "growth": 4}
RRDB_SWITCHES = [
    {"factor": factor, "dense": dense, "upsampling": upsampling, "output": output}
    for factor in (2, 4, 8)
    for dense in ("nested", "plain")
    for upsampling in ("pixel_shuffle", "nearest", "subpixel")
    for output in ("tanh", "residual")
]


def test_srgan_ds_nested_concatenations_have_64_to_1024_channels():
    block = DenseBlock(64, 64, "nested")
    assert [conv.in_channels for conv in block.convolutions] == [64, 128, 256, 512, 1024]
    assert [conv.out_channels for conv in block.convolutions] == [64] * 5


def test_esrgans_plain_concatenations_grow_by_one_output_each():
    block = DenseBlock(64, 32, "plain")
    assert [conv.in_channels for conv in block.convolutions] == [64, 96, 128, 160, 192]


@pytest.mark.parametrize("dense", ["nested", "plain"])
def test_a_dense_block_concatenates_as_its_authors_do(dense):
    block, x = DenseBlock(2, 2, dense), torch.randn(1, 2, 7, 7)
    c1, c2, c3, c4, c5 = block.convolutions

    def active(convolution, features):
        return F.leaky_relu(convolution(features), 0.2)

    if dense == "plain":
        outputs = [x]
        for convolution in (c1, c2, c3, c4):
            outputs.append(active(convolution, torch.cat(outputs, 1)))
        last = torch.cat(outputs, 1)
    else:
        first = torch.cat([x, active(c1, x)], 1)
        second = torch.cat([x, first, active(c2, first)], 1)
        third = torch.cat([x, first, second, active(c3, second)], 1)
        last = torch.cat([x, first, second, third, active(c4, third)], 1)
    torch.testing.assert_close(block(x), x + 0.2 * c5(last))


@pytest.mark.parametrize("switches", RRDB_SWITCHES, ids=lambda switches: "-".join(map(str, switches.values())))
def test_every_switch_of_the_rrdb_network_gives_the_right_size(switches):
    network, factor = RRDBNet(**TINY, **switches), switches["factor"]
    with torch.inference_mode():
        result = network(torch.rand(2, 1, 5, 7))
    assert result.shape == (2, 1, 5 * factor, 7 * factor)
    assert result.isfinite().all()
    if switches["output"] == "tanh":
        assert result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_compact_network_gives_the_right_size(factor):
    assert CompactNet(factor, 4, 1)(torch.rand(2, 1, 5, 7)).shape == (2, 1, 5 * factor, 7 * factor)


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 3},
        {"factor": 1},
        {"factor": 4, "dense": "nested", "growth": 32},
        {"factor": 4, "dense": "sparse"},
        {"factor": 4, "upsampling": "bilinear"},
        {"factor": 4, "output": "sigmoid"},
    ],
    ids=str,
)
def test_an_unknown_switch_is_refused(wrong):
    with torch.device("meta"), pytest.raises(ValueError, match="must be"):
        RRDBNet(**wrong)


def test_a_block_cannot_be_dilated_by_nothing():
    with torch.device("meta"), pytest.raises(ValueError, match="must be 1 or more"):
        CompactNet(2, 4, 1, dilation=0)


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
