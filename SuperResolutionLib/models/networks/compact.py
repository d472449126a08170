"""A small network without convolutions at high resolution: EDSR's residual blocks and one pixel shuffle."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ..receptive_field import compact_halo
from .cubic import added_to_cubic
from .neighbours import alone, slice_channels
from .network import Network


class ResidualBlock(nn.Module):
    """Convolution, LeakyReLU, convolution (dilated or not), and the identity (Lim et al. 2017, EDSR)."""

    def __init__(self, width: int, dilation: int = 1):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Added in place: on a CPU fresh memory for each sum costs a tenth of the network's time.
        return self.second(F.leaky_relu(self.first(x), 0.2, inplace=True)).add_(x)


class CompactNet(Network):
    """Residual blocks at low resolution and one pixel shuffle: no convolution runs at high resolution.

    It predicts what cubic interpolation lacks. With width 64 and 6 blocks: 0.45 M parameters.

    Args:
        factor: coarse to fine. width: feature channels. blocks: residual blocks.
        dilation: of the convolutions of the middle block, which see that many times as far in the same time (Yu and
            Koltun 2016): a k-space crop rings far from an edge.
        neighbours: slices that it sees on either side; see ``neighbours.with_told``.

    Raises:
        ValueError: a dilation below 1.
    """

    def __init__(self, factor: int, width: int = 64, blocks: int = 6, dilation: int = 1, neighbours: int = 0):
        super().__init__()
        if dilation < 1:
            raise ValueError(f"dilation must be 1 or more, not {dilation}")
        self.factor, self.blocks, self.dilation, self.neighbours = factor, blocks, dilation, neighbours
        dilations = [dilation if block == blocks // 2 else 1 for block in range(blocks)]
        self.head = nn.Conv2d(slice_channels(neighbours), width, 3, padding=1)
        self.body = nn.Sequential(*[ResidualBlock(width, dilation) for dilation in dilations])
        self.tail = nn.Conv2d(width, factor * factor, 3, padding=1)

    @property
    def halo(self) -> int:
        """Receptive-field radius in low-resolution pixels: tiles cropped by it equal whole-slice inference."""
        return compact_halo(self.blocks, self.dilation)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        first = self.head(x if x.shape[1] > 1 else alone(x, self.neighbours))
        return self.body(first).add_(first)

    def refined(self, features: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return added_to_cubic(self.tail(features), x[:, :1], self.factor)
