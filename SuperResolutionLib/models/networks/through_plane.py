"""The network that makes new slices: which rows lie between thick slices, and what is in them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..receptive_field import through_plane_halo, through_plane_slice_halo
from .neighbours import TYPICAL_NOISE
from .network import Network


class ConditionedBlock(nn.Module):
    """A residual block that sees farther within the slices than across them, and is told how the slices lie.

    Between two slices of spacing ``s`` an oblique edge moves by up to ``s`` pixels and more, so the first convolution
    is 3 x 5. The condition scales and shifts the features between the convolutions (Perez et al. 2018, "FiLM"): each
    channel by its own where ``by_channel``, else all by those of the first, as the first weights learnt it.
    """

    def __init__(self, width: int, condition: int, by_channel: bool):
        super().__init__()
        self.by_channel = by_channel
        self.first = nn.Conv2d(width, width, (3, 5), padding=(1, 2))
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(condition, 2 * width)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulation(condition)[..., None, None].chunk(2, dim=-3)
        if not self.by_channel:
            scale, shift = scale[..., :1, :, :], shift[..., :1, :, :]
        features = torch.addcmul(shift, self.first(x), 1 + scale)
        return self.second(F.leaky_relu(features, 0.2, inplace=True)).add_(x)


class ThroughPlaneNet(Network):
    """Refines reformats through thick slices along the slice axis, by any real factor, with one set of weights.

    Reformats stay at their coarse rows until the end; there, weights that a small network computes from where a fine
    row lies between the slices turn the features of the nearest slice into that row (Hu et al. 2019, "Meta-SR"). It
    predicts what cubic interpolation lacks.

    Args:
        width: feature channels. blocks: residual blocks.
        factor: the largest refinement; greater ones are the caller's to interpolate.
        neighbours: how many reformats it sees on either side of the one that it refines. A network that sees any is
            also told the noise, and how far they lie.
    """

    CONDITION = 32

    def __init__(self, factor: int = 8, width: int = 64, blocks: int = 6, neighbours: int = 0):
        super().__init__()
        self.factor, self.blocks, self.neighbours = factor, blocks, neighbours
        told, by_channel = (4, True) if neighbours else (2, False)
        self.condition = nn.Sequential(nn.Linear(told, self.CONDITION), nn.LeakyReLU(0.2))
        self.head = nn.Conv2d(1 + 2 * neighbours, width, 3, padding=1)
        self.body = nn.ModuleList([ConditionedBlock(width, self.CONDITION, by_channel) for _ in range(blocks)])
        self.tail = nn.Conv2d(width, width, 3, padding=1)
        *hidden, last = nn.Linear(4, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, width)
        self.row_weights = nn.Sequential(*hidden, last)
        with torch.no_grad():
            last.weight.mul_(0.1)  # training starts near the cubic interpolation

    @property
    def halo(self) -> int:
        """Receptive-field radius in columns: tiles cropped by it equal inference on whole reformats."""
        return through_plane_halo(self.blocks)

    @property
    def slice_halo(self) -> int:
        """Receptive-field radius in slices, the cubic interpolation's included."""
        return through_plane_slice_halo(self.blocks)

    def forward(
        self,
        reformats: torch.Tensor,
        spacing: float,
        thickness: float,
        places: torch.Tensor | None = None,
        noise: float | torch.Tensor = 0.0,
        apart: float | torch.Tensor = 0.0,
    ) -> torch.Tensor:
        """Return ``(N, 1, rows, W)``, float32.

        Args:
            reformats: ``(N, C, K, W)``, a row for each of the ``K`` slices, normalised. Channels are the reformat
                itself and those beside it, in the order of ``neighbour_offsets``; one channel alone has none beside it.
            spacing: distance of the slice centres in columns (pixels of the slice plane).
            thickness: FWHM of the slice profile as a share of ``spacing``.
            places: where the rows lie, ascending, in slices from the first one's centre; None puts a row at each
                pixel's distance (``row_places``).
            noise: its SD in the slices, for all or ``(N,)``; what a network without neighbours is not told.
            apart: distance of a reformat from the next in columns, 0 where there is none, for all or ``(N,)``.
        """
        inputs = reformats, spacing, thickness, places, noise, apart
        return self.refined(self.features(*inputs), *inputs)

    def features(
        self,
        reformats: torch.Tensor,
        spacing: float,
        thickness: float,
        places: torch.Tensor | None = None,
        noise: float | torch.Tensor = 0.0,
        apart: float | torch.Tensor = 0.0,
    ) -> torch.Tensor:
        if reformats.shape[1] < self.head.in_channels:
            reformats, apart = reformats[:, :1].expand(-1, self.head.in_channels, -1, -1), 0.0
        told = reformats.new_tensor(_told(spacing, thickness))
        condition = self.condition(self._all_told(told, noise, apart, len(reformats)))
        features = first = self.head(reformats)
        for block in self.body:
            features = block(features, condition)
        return features.add_(first)

    def refined(
        self,
        features: torch.Tensor,
        reformats: torch.Tensor,
        spacing: float,
        thickness: float,
        places: torch.Tensor | None = None,
        *told: Any,
        **more: Any,
    ) -> torch.Tensor:
        if places is None:
            places = row_places(reformats.shape[-2], spacing)
        added = rows_of(self.tail(features), self.row_weights, places, spacing, thickness)
        cubic = cubic_rows(reformats.shape[-2], places.to(reformats.device))
        return added[:, None] + torch.einsum("rk,nckw->ncrw", cubic, reformats[:, :1].float())

    def _all_told(
        self, told: torch.Tensor, noise: float | torch.Tensor, apart: float | torch.Tensor, count: int
    ) -> torch.Tensor:
        """Return ``told``, spacing and thickness, or with noise and distance ``(count, 4)`` if there are neighbours."""
        if not self.neighbours:
            return told
        noise, apart = (torch.as_tensor(value).to(told).expand(count) for value in (noise, apart))
        return torch.stack([*told[:, None].expand(2, count), noise / TYPICAL_NOISE, apart], dim=1)


def rows_of(
    features: torch.Tensor, row_weights: nn.Module, places: torch.Tensor, spacing: float, thickness: float
) -> torch.Tensor:
    """Return rows ``(N, R, W)`` float32 of features ``(N, C, K, W)``: of each the nearest slice's, weighted.

    Args:
        row_weights: gives ``(R, C)`` for where a row lies: in slices and in fours of pixels from the nearest slice, and
            what ``_told`` gives. places, spacing, thickness: as of ``ThroughPlaneNet``.
    """
    places = places.to(features.device)
    nearest = places.round().clamp(0, features.shape[-2] - 1)
    offset = (places - nearest)[:, None]
    told = offset.new_tensor(_told(spacing, thickness))
    with torch.autocast(features.device.type, enabled=False):
        weights = row_weights(torch.cat([offset, offset * spacing / 4, told.expand(len(offset), 2)], dim=1))
        by_slice = _by_slice(weights, nearest.long(), features.shape[-2])
        rows = torch.einsum("nckw,kcr->nkrw", features.float(), by_slice)
    return rows.flatten(1, 2)[:, _row_order(nearest.long(), rows.shape[2])]


def _told(spacing: float, thickness: float) -> list[float]:
    return [math.log2(spacing) / 3, thickness - 1]


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
