"""What every network of the registry has, beside being a torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Network(nn.Module):
    """A network that refines images.

    Attributes:
        factor: fine pixels to a coarse one, or the largest number of them.
        neighbours: how many images it sees on either side of the one that it refines, as further channels.
        head: its first convolution, to as many channels as its features have.
        predicts_error: whether a second channel of its answers is how far the first may be off.
    """

    factor: int
    neighbours: int = 0
    head: nn.Conv2d
    predicts_error: bool = False

    @property
    def halo(self) -> int:
        """Receptive-field radius in coarse pixels: tiles cropped by it equal inference on the whole image."""
        raise NotImplementedError

    def features(self, *inputs: Any, **named: Any) -> torch.Tensor:
        """Return the last features at coarse resolution, ``(N, width, H, W)``. The inputs are those of a call."""
        raise NotImplementedError

    def refined(self, features: torch.Tensor, *inputs: Any, **named: Any) -> torch.Tensor:
        """Return the answer to ``inputs``, whose ``features`` are given."""
        raise NotImplementedError

    def forward(self, *inputs: Any, **named: Any) -> torch.Tensor:
        return self.refined(self.features(*inputs, **named), *inputs, **named)
