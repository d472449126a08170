"""The perceptual loss: a distance of VGG19 features, of a network trained on medical slices or on ImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

STAGES = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))
"""Channels, as multiples of the width, and number of convolutions between poolings (Simonyan and Zisserman 2015)."""

IMAGENET_MEAN, IMAGENET_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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


class PerceptualLoss(nn.Module):
    """The mean square distance of VGG19's features before their activation (Wang et al. 2018).

    Args:
        weights: a safetensors file that ``python -m Training vgg19`` wrote, or torchvision's ImageNet weights,
            ``vgg19-dcbb9e9d.pth``, for those who have them; grey images are then shown in its three colours.
        layers: the convolutions whose features are compared, of 1 to 16; the distance is the mean over them. The last
            one, as in SRGAN-D, compares textures over 16 x 16 pixels without their place; earlier ones compare edges.

    Raises:
        ValueError: the file does not hold VGG19's convolutions.
    """

    def __init__(self, weights: Path | str, layers: Sequence[int] = (16,)):
        super().__init__()
        weights, self.layers = Path(weights), layers
        if weights.suffix == ".safetensors":
            state = safetensors.torch.load_file(weights)
        else:
            state = torch.load(weights, weights_only=True, map_location="cpu")
            state = {key.replace("features", "layers", 1): value for key, value in state.items() if "features" in key}
        if "layers.0.weight" not in state:
            raise ValueError(f"{weights} holds no VGG19; train one by 'python -m Training vgg19'.")
        width, channels = state["layers.0.weight"].shape[:2]
        self.network = VGG19(width, channels)
        self.network.load_state_dict({key: value.float() for key, value in state.items()})
        self.network.eval().requires_grad_(False)

    def forward(self, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted = self._features(truth)
        return sum(F.mse_loss(ours, theirs) for ours, theirs in zip(self._features(image), wanted)) / len(wanted)

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Stay in evaluation mode: the loss itself is never trained."""
        return super().train(False)

    def _features(self, image: torch.Tensor) -> list[torch.Tensor]:
        if self.network.layers[0].in_channels == 3:
            mean, sd = (image.new_tensor(values).reshape(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_SD))
            image = (image - mean) / sd
        return self.network.before_activation(image, self.layers)
