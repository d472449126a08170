"""The SRGAN-D generator: residual-in-residual dense blocks (RRDB), then upsampling."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ..receptive_field import rrdb_halo
from .cubic import added_to_cubic, cubic_upsampled
from .neighbours import alone, slice_channels
from .network import Network


class DenseBlock(nn.Module):
    """Five densely connected 3x3 convolutions with a scaled residual (Wang et al. 2018, ESRGAN).

    ``dense="nested"`` concatenates earlier *concatenations* as SRGAN-D does, so that the five inputs have
    64, 128, 256, 512 and 1024 channels at width 64; ``"plain"`` concatenates earlier outputs only (ESRGAN).
    """

    def __init__(self, width: int, growth: int, dense: str):
        super().__init__()
        self.dense = dense
        channels, convolutions = width, []
        for position in range(5):
            convolutions.append(nn.Conv2d(channels, growth if position < 4 else width, 3, padding=1))
            channels = channels * 2 if dense == "nested" else channels + growth
        self.convolutions = nn.ModuleList(convolutions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inputs, features = [x], x
        for convolution in self.convolutions[:-1]:
            output = F.leaky_relu(convolution(features), 0.2, inplace=True)
            features = torch.cat([*inputs, output], dim=1)
            # The newest concatenation holds all of a plain one's.
            inputs = [*inputs, features] if self.dense == "nested" else [features]
        return torch.add(x, self.convolutions[-1](features), alpha=0.2)


class ResidualInResidualDenseBlock(nn.Module):
    """Three dense blocks inside one scaled residual: the RRDB of ESRGAN and SRGAN-D."""

    def __init__(self, width: int, growth: int, dense: str):
        super().__init__()
        self.blocks = nn.Sequential(*[DenseBlock(width, growth, dense) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, self.blocks(x), alpha=0.2)


class RRDBNet(Network):
    """The SRGAN-D generator, with the switches that its successors and ESRGAN differ by.

    Args:
        factor: 2, 4 or 8, refined by ``log2(factor)`` pixel-shuffle steps.
        width: feature channels. growth: channels that each dense convolution adds; ``dense="nested"`` needs
            ``growth == width`` (the authors use 64 and 64).
        blocks: number of RRDBs (the authors ran one; ESRGAN runs 23).
        dense: ``"nested"`` (SRGAN-D) or ``"plain"`` (ESRGAN).
        upsampling: ``"pixel_shuffle"`` (SRGAN-D: conv to 4x width, shuffle, shared PReLU, per x2), ``"nearest"``
            (ESRGAN: nearest, conv, LeakyReLU, per x2) or ``"subpixel"`` (one shuffle after the last convolution,
            so that no convolution runs at high resolution).
        output: ``"tanh"`` (SRGAN-D; its [-1, 1] is mapped back to [0, 1] here) or ``"residual"`` (the network
            predicts what cubic interpolation lacks; unbounded, so bright voxels are never clipped).
        neighbours: slices that it sees on either side; see ``neighbours.with_told``.

    Raises:
        ValueError: an unknown switch, or a factor that is not 2, 4 or 8.
    """

    def __init__(
        self,
        factor: int,
        width: int = 64,
        growth: int = 64,
        blocks: int = 1,
        dense: str = "nested",
        upsampling: str = "pixel_shuffle",
        output: str = "tanh",
        neighbours: int = 0,
    ):
        super().__init__()
        if factor not in (2, 4, 8):
            raise ValueError(f"factor must be 2, 4 or 8, not {factor}")
        if dense not in ("nested", "plain") or (dense == "nested" and growth != width):
            raise ValueError(f"dense must be 'plain', or 'nested' with growth equal to width, not {dense!r}")
        if upsampling not in ("pixel_shuffle", "nearest", "subpixel"):
            raise ValueError(f"upsampling must be 'pixel_shuffle', 'nearest' or 'subpixel', not {upsampling!r}")
        if output not in ("tanh", "residual"):
            raise ValueError(f"output must be 'tanh' or 'residual', not {output!r}")
        self.factor, self.blocks, self.upsampling, self.output = factor, blocks, upsampling, output
        self.neighbours = neighbours
        self.head = nn.Conv2d(slice_channels(neighbours), width, 3, padding=1)
        self.body = nn.Sequential(*[ResidualInResidualDenseBlock(width, growth, dense) for _ in range(blocks)])
        self.fusion = nn.Conv2d(width, width, 3, padding=1)
        steps = factor.bit_length() - 1
        if upsampling == "subpixel":
            self.tail = nn.Sequential(nn.Conv2d(width, factor * factor, 3, padding=1), nn.PixelShuffle(factor))
            return
        layers = []
        for _ in range(steps):
            if upsampling == "pixel_shuffle":
                layers += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]
            else:
                layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.4), nn.Conv2d(width, 1, 3, padding=1)]
        self.tail = nn.Sequential(*layers)

    @property
    def halo(self) -> int:
        """Receptive-field radius in low-resolution pixels: tiles cropped by it equal whole-slice inference."""
        return rrdb_halo(self.blocks, self.upsampling)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        first = F.leaky_relu(self.head(x if x.shape[1] > 1 else alone(x, self.neighbours)), 0.2, inplace=True)
        return torch.add(first, self.fusion(self.body(first)), alpha=0.2)

    def refined(self, features: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        if self.output == "residual" and self.upsampling == "subpixel":
            return added_to_cubic(self.tail[0](features), x[:, :1], self.factor)
        image = self.tail(features)
        if self.output == "tanh":
            return (torch.tanh(image) + 1) / 2
        return image + cubic_upsampled(x[:, :1], self.factor)
