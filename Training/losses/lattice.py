"""The term against patterns that repeat from one coarse voxel to the next."""

from __future__ import annotations

import torch
from torch.nn import functional as F


class LatticeLoss:
    """How far a result repeats a pattern from one coarse voxel to the next that the truth does not have.

    A pixel shuffle gives each of the ``factor ** 2`` places within a coarse voxel its own weights, so that a network
    can draw a regular hatching over smooth tissue, and combs along edges. The errors of an image are as often positive
    as negative at each place; those of such a pattern are not. They are averaged along rows of coarse voxels and along
    columns, so that a comb on one line of voxels counts in full, and an edge that is as wrong everywhere does not.

    Args:
        factor: fine voxels to a coarse one.
        length: of the rows and columns, in coarse voxels; at most a patch.
    """

    def __init__(self, factor: int, length: int = 7):
        self.factor, self.length = factor, length

    def __call__(self, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Return the mean square of what repeats along an axis beyond the mean over the places along it."""
        error = F.pixel_unshuffle(image - truth, self.factor).unflatten(1, (self.factor, self.factor))
        found = 0.0
        for axis, window in ((1, (self.length, 1)), (2, (1, self.length))):
            varying = error - error.mean(dim=axis, keepdim=True)
            found = found + F.avg_pool2d(varying.flatten(1, 2), window, stride=1).square().mean()
        return found
