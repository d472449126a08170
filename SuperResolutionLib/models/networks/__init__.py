"""The networks a model folder may name: the SRGAN-D generator, the compact network and the one through the slices.

The first two map a slice batch ``(N, 1, H, W)`` of normalised intensities (about [0, 1]) to
``(N, 1, factor * H, factor * W)`` on the same scale. Output pixels tile the input pixels (the half-voxel rule).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F


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
            inputs.append(features if self.dense == "nested" else output)
        return torch.add(x, self.convolutions[-1](features), alpha=0.2)


class ResidualInResidualDenseBlock(nn.Module):
    """Three dense blocks inside one scaled residual: the RRDB of ESRGAN and SRGAN-D."""

    def __init__(self, width: int, growth: int, dense: str):
        super().__init__()
        self.blocks = nn.Sequential(*[DenseBlock(width, growth, dense) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, self.blocks(x), alpha=0.2)


class RRDBNet(nn.Module):
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
        self.head = nn.Conv2d(1, width, 3, padding=1)
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
        return 15 * self.blocks + 2 + (1 if self.upsampling == "subpixel" else 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = F.leaky_relu(self.head(x), 0.2)
        image = self.tail(features + 0.2 * self.fusion(self.body(features)))
        if self.output == "tanh":
            return (torch.tanh(image) + 1) / 2
        return image + F.interpolate(x, scale_factor=self.factor, mode="bicubic", align_corners=False)


class ResidualBlock(nn.Module):
    """Convolution, LeakyReLU, convolution (dilated or not), and the identity (Lim et al. 2017, EDSR)."""

    def __init__(self, width: int, dilation: int = 1):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Added in place: on a CPU fresh memory for each sum costs a tenth of the network's time.
        return self.second(F.leaky_relu(self.first(x), 0.2, inplace=True)).add_(x)


class CompactNet(nn.Module):
    """Residual blocks at low resolution and one pixel shuffle: no convolution runs at high resolution.

    It predicts what cubic interpolation lacks. With width 64 and 6 blocks: 0.45 M parameters.

    Args:
        factor: coarse to fine. width: feature channels. blocks: residual blocks.
        dilation: of the convolutions of the middle block, which see that many times as far in the same time (Yu and
            Koltun 2016): a k-space crop rings far from an edge.

    Raises:
        ValueError: a dilation below 1.
    """

    def __init__(self, factor: int, width: int = 64, blocks: int = 6, dilation: int = 1):
        super().__init__()
        if dilation < 1:
            raise ValueError(f"dilation must be 1 or more, not {dilation}")
        self.factor, self.blocks, self.dilation = factor, blocks, dilation
        dilations = [dilation if block == blocks // 2 else 1 for block in range(blocks)]
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.body = nn.Sequential(*[ResidualBlock(width, dilation) for dilation in dilations])
        self.tail = nn.Conv2d(width, factor * factor, 3, padding=1)

    @property
    def halo(self) -> int:
        """Receptive-field radius in low-resolution pixels: tiles cropped by it equal whole-slice inference."""
        return 2 * self.blocks + 2 * self.dilation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.head(x)
        residual = F.pixel_shuffle(self.tail(self.body(features).add_(features)), self.factor)
        return residual + F.interpolate(x, scale_factor=self.factor, mode="bicubic", align_corners=False)


class ConditionedBlock(nn.Module):
    """A residual block that sees farther within the slices than across them, and is told how the slices lie.

    Between two slices of spacing ``s`` an oblique edge moves by up to ``s`` pixels and more, so the first convolution
    is 3 x 5. The condition scales and shifts the features between the convolutions (Perez et al. 2018, "FiLM").
    """

    def __init__(self, width: int, condition: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, (3, 5), padding=(1, 2))
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(condition, 2 * width)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulation(condition)[:, None, None].chunk(2)
        features = self.first(x) * (1 + scale[0]) + shift[0]
        return self.second(F.leaky_relu(features, 0.2, inplace=True)).add_(x)


class ThroughPlaneNet(nn.Module):
    """Refines reformats through thick slices along the slice axis, by any real factor, with one set of weights.

    Reformats stay at their coarse rows until the end; there, weights that a small network computes from where a fine
    row lies between the slices turn the features of the nearest slice into that row (Hu et al. 2019, "Meta-SR"). It
    predicts what cubic interpolation lacks.

    Args:
        width: feature channels. blocks: residual blocks.
        factor: the largest refinement; greater ones are the caller's to interpolate.
    """

    CONDITION = 32

    def __init__(self, factor: int = 8, width: int = 64, blocks: int = 6):
        super().__init__()
        self.factor, self.blocks = factor, blocks
        self.condition = nn.Sequential(nn.Linear(2, self.CONDITION), nn.LeakyReLU(0.2))
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.body = nn.ModuleList([ConditionedBlock(width, self.CONDITION) for _ in range(blocks)])
        self.tail = nn.Conv2d(width, width, 3, padding=1)
        self.row_weights = nn.Sequential(
            nn.Linear(4, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, width)
        )
        with torch.no_grad():
            self.row_weights[-1].weight.mul_(0.1)  # training starts near the cubic interpolation

    @property
    def halo(self) -> int:
        """Receptive-field radius in columns: tiles cropped by it equal inference on whole reformats."""
        return 3 * self.blocks + 2

    @property
    def slice_halo(self) -> int:
        """Receptive-field radius in slices, the cubic interpolation's included."""
        return 2 * self.blocks + 3

    def forward(
        self, reformats: torch.Tensor, spacing: float, thickness: float, places: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return ``(N, 1, rows, W)``, float32.

        Args:
            reformats: ``(N, 1, K, W)``, a row for each of the ``K`` slices, normalised.
            spacing: distance of the slice centres in columns (pixels of the slice plane).
            thickness: FWHM of the slice profile as a share of ``spacing``.
            places: where the rows lie, ascending, in slices from the first one's centre; None puts a row at each
                pixel's distance (``row_places``).
        """
        if places is None:
            places = row_places(reformats.shape[-2], spacing)
        places = places.to(reformats.device)
        nearest = places.round().clamp(0, reformats.shape[-2] - 1)
        told = reformats.new_tensor([math.log2(spacing) / 3, thickness - 1])
        condition = self.condition(told)
        features = first = self.head(reformats)
        for block in self.body:
            features = block(features, condition)
        features = self.tail(features.add_(first)).float()
        offset = (places - nearest)[:, None]
        with torch.autocast(features.device.type, enabled=False):
            weights = self.row_weights(torch.cat([offset, offset * spacing / 4, told.expand(len(offset), 2)], dim=1))
            added = torch.einsum("nckw,kcr->nkrw", features, _by_slice(weights, nearest.long(), features.shape[-2]))
        added = added.flatten(1, 2)[:, _row_order(nearest.long(), added.shape[2])]
        cubic = cubic_rows(reformats.shape[-2], places)
        return added[:, None] + torch.einsum("rk,nckw->ncrw", cubic, reformats.float())


def fine_rows(slices: int, spacing: float) -> int:
    """Return how many rows of 1 / ``spacing`` slices tile ``slices`` slices, rounded."""
    return max(1, round(slices * spacing))


def row_places(slices: int, spacing: float) -> torch.Tensor:
    """Return where the ``fine_rows`` lie, in slices from the first slice's centre; they lie about the same centre."""
    rows = fine_rows(slices, spacing)
    return (torch.arange(rows) - (rows - 1) / 2) / spacing + (slices - 1) / 2


def cubic_rows(slices: int, places: torch.Tensor) -> torch.Tensor:
    """Return the ``(rows, slices)`` weights of cubic convolution (Keys 1981); past the ends the last slice repeats."""
    below = places.floor()
    weights = torch.zeros(len(places), slices, device=places.device)
    for tap in (-1, 0, 1, 2):
        distance = (places - below - tap).abs()
        near = (1.5 * distance - 2.5) * distance**2 + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        index = (below.long() + tap).clamp(0, slices - 1)
        weights.scatter_add_(1, index[:, None], torch.where(distance <= 1, near, far)[:, None])
    return weights


def _by_slice(weights: torch.Tensor, nearest: torch.Tensor, slices: int) -> torch.Tensor:
    """Return row weights ``(R, C)`` as ``(slices, C, most rows of a slice)``, so that no feature is repeated."""
    counts = nearest.bincount(minlength=slices)
    table = weights.new_zeros(slices, int(counts.max()), weights.shape[1])
    within = torch.arange(len(nearest), device=nearest.device) - (counts.cumsum(0) - counts)[nearest]
    return table.index_put((nearest, within), weights).swapaxes(1, 2)


def _row_order(nearest: torch.Tensor, most: int) -> torch.Tensor:
    """Return where each row lies among the rows of ``_by_slice``, slice by slice."""
    counts = nearest.bincount()
    within = torch.arange(len(nearest), device=nearest.device) - (counts.cumsum(0) - counts)[nearest]
    return nearest * most + within


NETWORKS = {"CompactNet": CompactNet, "RRDBNet": RRDBNet, "ThroughPlaneNet": ThroughPlaneNet}
"""The registry: a model folder names one of these and gives numbers and words as arguments, never code."""
