"""The term that asks for edges as steep as the truth's, wherever near they lie."""

from __future__ import annotations

import torch
from torch.nn import functional as F

WINDOW = 7


def steepness_distance(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the mean L1 distance of how steep two image batches are, each point's neighbourhood taken together.

    Steepness is the root of the mean square gradient in windows of 7 x 7. An edge that is as high but flatter has less
    of it; one that is as steep but a voxel off has as much in most of the windows. Where an edge could be in several
    places this asks for one of them; a comparison point by point, of images or of gradients (Ma et al. 2020, SPSR),
    asks for their mean. Combs along an edge are steep, too: use it with ``LatticeLoss``.
    """
    return F.l1_loss(_steepness(image), _steepness(truth))


def _steepness(image: torch.Tensor) -> torch.Tensor:
    across, down = (
        (image[..., 1:-1, 2:] - image[..., 1:-1, :-2]) / 2,
        (image[..., 2:, 1:-1] - image[..., :-2, 1:-1]) / 2,
    )
    return (F.avg_pool2d(across.square() + down.square(), WINDOW, stride=1) + 1e-6).sqrt()
