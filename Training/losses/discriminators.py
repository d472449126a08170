"""The two discriminators of stage 2: SRGAN-D's, which takes any patch size, and SRGAN's, which takes one."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrizations

PLAN = ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2))
"""Channels, as multiples of the width, and stride of the eight convolutions (Ledig et al. 2017, SRGAN)."""


class Discriminator(nn.Module):
    """Eight convolutions, the last of each pair halving the image, and a head of two dense layers.

    Batch normalisation follows every convolution but the first. ``forward`` returns logits (no sigmoid), ``features``
    the output of each convolution after its activation.
    """

    def __init__(self, width: int, separable: bool, spectral_norm: bool):
        super().__init__()
        normalised = parametrizations.spectral_norm if spectral_norm else nn.Identity()
        layers, channels = [], 1
        for position, (multiple, stride) in enumerate(PLAN):
            out = multiple * width
            if separable:
                convolution = nn.Sequential(
                    normalised(nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels)),
                    normalised(nn.Conv2d(channels, out, 1)),
                )
            else:
                convolution = normalised(nn.Conv2d(channels, out, 3, stride, padding=1))
            norm = nn.BatchNorm2d(out) if position else nn.Identity()
            layers.append(nn.Sequential(convolution, norm, nn.LeakyReLU(0.2)))
            channels = out
        self.layers = nn.ModuleList(layers)
        self.channels = channels

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of ``(N, 1, H, W)`` after each of the eight convolutions."""
        found = []
        for layer in self.layers:
            image = layer(image)
            found.append(image)
        return found

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(image)[-1])

    def set_dropout(self, share: float) -> None:
        """Change the head's dropout; SRGAN-D takes it off for the last part of stage 2."""
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = share


class PatchDiscriminator(Discriminator):
    """SRGAN-D's: fully convolutional, so that patches can grow during training.

    ``(N, 1, H, W)`` to ``(N, 1, H / 16, W / 16)`` logits: the dense layers (1024, LeakyReLU, dropout, 1 at width 64)
    judge each position by itself.

    Args:
        width: channels of the first convolution. separable: depthwise and pointwise instead of full convolutions.
        dropout: share of the head's features that training drops.
        spectral_norm: of the eight convolutions (Miyato et al. 2018 have it on the head, too, which is left free here).
    """

    def __init__(self, width: int = 64, separable: bool = True, dropout: float = 0.5, spectral_norm: bool = False):
        super().__init__(width, separable, spectral_norm)
        self.head = nn.Sequential(
            nn.Conv2d(self.channels, 16 * width, 1),
            nn.LeakyReLU(0.2),
            nn.Dropout(dropout),
            nn.Conv2d(16 * width, 1, 1),
        )


class SRGANDiscriminator(Discriminator):
    """SRGAN's (Ledig et al. 2017): full convolutions and dense layers over the whole patch.

    ``(N, 1, patch, patch)`` to ``(N, 1)`` logits.

    Args:
        patch: side of the only patch size it takes, a multiple of 16. width: channels of the first convolution.
    """

    def __init__(self, patch: int = 96, width: int = 64):
        super().__init__(width, separable=False, spectral_norm=False)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(self.channels * (patch // 16) ** 2, 16 * width),
            nn.LeakyReLU(0.2),
            nn.Linear(16 * width, 1),
        )
