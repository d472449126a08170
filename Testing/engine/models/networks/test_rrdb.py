"""The SRGAN-D generator: its nested concatenations, and every switch by which its successors differ."""

import pytest
import torch
from torch.nn import functional as F

from SuperResolutionLib.models.networks.rrdb import DenseBlock, RRDBNet

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
