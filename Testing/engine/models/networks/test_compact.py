"""The compact network: its sizes, and the dilation of its middle block."""

import pytest
import torch

from SuperResolutionLib.models.networks.compact import CompactNet


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_compact_network_gives_the_right_size(factor):
    assert CompactNet(factor, 4, 1)(torch.rand(2, 1, 5, 7)).shape == (2, 1, 5 * factor, 7 * factor)


def test_a_block_cannot_be_dilated_by_nothing():
    with torch.device("meta"), pytest.raises(ValueError, match="must be 1 or more"):
        CompactNet(2, 4, 1, dilation=0)
