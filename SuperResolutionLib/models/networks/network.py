"""What every network of the registry has, beside being a torch module."""

from __future__ import annotations

from torch import nn


class Network(nn.Module):
    """A network that refines images.

    Attributes:
        factor: fine pixels to a coarse one, or the largest number of them.
        neighbours: how many images it sees on either side of the one that it refines, as further channels.
    """

    factor: int
    neighbours: int = 0

    @property
    def halo(self) -> int:
        """Receptive-field radius in coarse pixels: tiles cropped by it equal inference on the whole image."""
        raise NotImplementedError
