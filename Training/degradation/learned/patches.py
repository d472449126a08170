"""Patches of slices, from places that show tissue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from SuperResolutionLib.errors import InputError

PATCH = 16  # coarse voxels
PATCHES = 4000
TRIES = 40  # draws of a quarter of the patches each


def not_smaller(stacks: Sequence[torch.Tensor], side: int) -> list[torch.Tensor]:
    """Return the stacks ``(N, H, W)`` that have slices, of ``side`` voxels or more along both axes."""
    return [stack for stack in stacks if len(stack) and min(stack.shape[-2:]) >= side]


def draw_patches(
    stacks: Sequence[torch.Tensor], factor: int, margin: int, random: np.random.Generator, what: str
) -> torch.Tensor:
    """Return patches of ``PATCH`` coarse voxels and a margin, from places that are mostly tissue.

    The scans may have been stripped of their background, with the noise there, after the fact; and tissue is judged
    over blocks of 4 x 4 coarse voxels, so that noise does not decide what is compared.
    """
    core, side = factor * PATCH, factor * (PATCH + 2 * margin)
    stacks = not_smaller(stacks, side)
    if not stacks:
        raise InputError(f"The {what} must have slices of {side} x {side} voxels or more; give larger ones.")
    patches = torch.empty(0, side, side)
    for _ in range(TRIES):
        drawn = []
        for _ in range(PATCHES // 4):
            stack = stacks[random.integers(len(stacks))]
            index, top, left = (int(random.integers(n)) for n in np.array(stack.shape) - (0, side - 1, side - 1))
            drawn.append(stack[index, top : top + side, left : left + side])
        drawn = torch.stack(drawn)
        inner = drawn[:, factor * margin :, factor * margin :][:, :core, :core]
        bright = (F.avg_pool2d(inner, 4 * factor) > 0.2).float().mean((1, 2)) > 0.75
        patches = torch.cat([patches, drawn[bright]])
        if len(patches) >= PATCHES:
            break
    if len(patches) < PATCHES // 20:
        raise InputError(f"The {what} hold too little tissue to compare; give scans whose slices it fills more.")
    return patches[:PATCHES]
