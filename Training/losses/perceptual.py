"""The perceptual loss: a distance of VGG19 features, of a network trained on medical slices or on ImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

from Training.losses.vgg19 import VGG19

IMAGENET_MEAN, IMAGENET_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
