"""What the critics of stage 2, the discriminator and the perceptual network, see of an image."""

from __future__ import annotations

import torch
from torch.nn import functional as F

WINDOW = 7


class CriticView:
    """Hides smooth tissue from the critics, and the grid of the coarse voxels.

    A network that gets a constant patch can only answer with a constant or with a pattern that repeats at every coarse
    voxel. A critic that asks for the truth's grain in smooth tissue therefore teaches hatching, and so does one whose
    strides are in step with that grid, since its gradients repeat at the same places. So the images are shown from a
    random fine voxel on, and where the truth is smooth the result is replaced by the truth (region-aware adversarial
    learning, Li et al. 2022, "Best-buddy GANs for highly detailed image super-resolution"), which leaves that tissue to
    the terms that compare images.

    Args:
        factor: fine voxels to a coarse one.
        smooth: local SD of the truth up to which it counts as smooth, in the networks' units; from twice that on the
            result is shown as it is. 0 shows everything.
        shifted: whether to begin at a random fine voxel; the images get ``factor`` voxels smaller.
    """

    def __init__(self, factor: int, smooth: float = 0.0, shifted: bool = False):
        self.factor, self.smooth, self.shifted = factor, smooth, shifted

    def __call__(self, image: torch.Tensor, truth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``image`` and ``truth``, ``(N, 1, H, W)``, as the critics see them."""
        if self.smooth:
            image = truth + ((local_deviation(truth) - self.smooth) / self.smooth).clamp(0, 1) * (image - truth)
        if not self.shifted:
            return image, truth
        top, left = torch.randint(self.factor, (2,)).tolist()
        height, width = (size - self.factor for size in image.shape[-2:])
        return tuple(part[..., top : top + height, left : left + width] for part in (image, truth))


def local_deviation(image: torch.Tensor) -> torch.Tensor:
    """Return the SD of ``image`` ``(N, 1, H, W)`` in windows of 7 x 7, after a mean of 3 x 3 that takes noise off."""

    def mean(values: torch.Tensor, side: int) -> torch.Tensor:
        return F.avg_pool2d(F.pad(values, (side // 2,) * 4, mode="reflect"), side, stride=1)

    smoothed = mean(image, 3)
    return (mean(smoothed.square(), WINDOW) - mean(smoothed, WINDOW).square()).clamp(min=0).sqrt()
