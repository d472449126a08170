"""The network of the perceptual loss: VGG19, of one channel or of ImageNet's three."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

STAGES = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))
"""Channels, as multiples of the width, and number of convolutions between poolings (Simonyan and Zisserman 2015)."""


class VGG19(nn.Module):
    """The sixteen convolutions of VGG19, up to the last one *before* its activation.

    ``(N, channels, H, W)`` to ``(N, 8 * width, H / 16, W / 16)``. ESRGAN and SRGAN-D compare features before the
    activation, which are dense and keep their sign.

    Args:
        width: channels of the first convolution; 64 in the paper. channels: 1, or 3 for ImageNet weights.
        batch_norm: normalise after every convolution, for training; ``folded`` takes it out again.
    """

    def __init__(self, width: int = 64, channels: int = 1, batch_norm: bool = False):
        super().__init__()
        layers: list[nn.Module] = []
        for multiple, count in STAGES:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for _ in range(count):
                layers.append(nn.Conv2d(channels, multiple * width, 3, padding=1))
                layers += [nn.BatchNorm2d(multiple * width)] if batch_norm else []
                layers.append(nn.ReLU())
                channels = multiple * width
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image)

    def before_activation(self, image: torch.Tensor, numbers: Sequence[int]) -> list[torch.Tensor]:
        """Return the outputs of the convolutions with these ``numbers``, 1 to 16, in their order."""
        found, number = [], 0
        for layer in self.layers:
            image = layer(image)
            number += isinstance(layer, nn.Conv2d)
            if isinstance(layer, nn.Conv2d) and number in numbers:
                found.append(image)
            if number == max(numbers):
                break
        return found

    def folded(self) -> VGG19:
        """Return the same function, in evaluation mode, without batch normalisation."""
        first = self.layers[0]
        plain = VGG19(first.out_channels, first.in_channels)
        pairs = zip(self.layers[:-1], self.layers[1:])
        fused = [
            torch.nn.utils.fuse_conv_bn_eval(convolution.eval(), norm.eval())
            for convolution, norm in pairs
            if isinstance(norm, nn.BatchNorm2d)
        ]
        for target, source in zip((layer for layer in plain.layers if isinstance(layer, nn.Conv2d)), fused):
            target.load_state_dict(source.state_dict())
        return plain.eval()
