"""The terms that compare images voxel by voxel."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class PixelLoss(nn.Module):
    """The mean distance of two image batches of the same shape.

    Args:
        kind: ``"l1"``, ``"mse"`` or ``"charbonnier"``: ``sqrt(d^2 + 1e-6)``, an L1 that is smooth at 0 (Lai et al.
            2017, LapSRN).

    Raises:
        ValueError: an unknown kind.
    """

    def __init__(self, kind: str = "l1"):
        super().__init__()
        if kind not in ("l1", "mse", "charbonnier"):
            raise ValueError(f"the pixel loss is 'l1', 'mse' or 'charbonnier', not {kind!r}")
        self.kind = kind

    def forward(self, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if self.kind == "l1":
            return F.l1_loss(image, truth)
        if self.kind == "mse":
            return F.mse_loss(image, truth)
        return ((image - truth).square() + 1e-6).sqrt().mean()
