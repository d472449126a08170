"""How much of what varies in flat tissue is lines: noise that a network took for structure."""

from __future__ import annotations

import numpy as np
import torch

from ..upscaling.consistency import low_pass

GRADIENT_SCALE, NEIGHBOURHOOD = 0.5, 3.0
"""SD, in stored voxels, of the Gaussians before gradients are taken and over which the tensor is averaged."""


def line_coherence(images: np.ndarray, flat: np.ndarray, factor: float) -> float:
    """Return the coherence of the structure tensor in flat tissue: 0 without any direction, 1 for parallel lines.

    It is sum(l1 - l2) / sum(l1 + l2) of the tensor's eigenvalues l1 >= l2 (Bigün and Granlund 1987, "Optimal
    orientation detection of linear symmetry"). White noise has about 0.13 after interpolation, as so few gradients
    are averaged that their directions never quite cancel.

    Args:
        images: ``(N, H, W)``. flat: bool, the same shape; elsewhere is not looked at.
        factor: pixels of the images to a voxel of the scan that they were made of.
    """
    mask = torch.from_numpy(flat)[:, None].float()
    smooth = low_pass(torch.from_numpy(np.array(images, np.float32))[:, None], GRADIENT_SCALE * factor)
    y, x = torch.gradient(smooth, dim=(-2, -1))
    count = low_pass(mask, NEIGHBOURHOOD * factor)[flat[:, None]]
    yy, xx, xy = (
        low_pass(part * mask, NEIGHBOURHOOD * factor)[flat[:, None]] / count for part in (y * y, x * x, x * y)
    )
    difference = torch.sqrt((xx - yy).square() + 4 * xy.square())
    return float(difference.double().sum() / (xx + yy).double().sum())
