"""The level of the noise, from the air around the body."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

BLOCK = 4  # voxels
LEAST_SHARE = 0.03  # of all blocks
STARTS = 0.05, 0.15, 0.3  # shares of the blocks that are fainter than where the search for air begins


def noise_of_air(stacks: Sequence[torch.Tensor]) -> float | None:
    """Return the SD of the noise per channel in the air around the body, or None where there is no such air.

    Magnitudes of pure noise have Rayleigh's distribution (Gudbjartsson and Patz 1995), whose fourth moment is twice the
    squared second one. Blocks of voxels count as air if they are near the faintest ones, or near those after a fainter
    part, as where a face was taken off before the noise came: the largest such set is taken. If it is small, the body
    fills the slices, and if it is not distributed like that, the background was cut out. What else there is, as noise
    of before the blur, is taken for a constant signal ``A``: ``E[m^2] = A^2 + 2 s^2`` and
    ``2 E[m^2]^2 - E[m^4] = A^4``.

    Args:
        stacks: slices ``(N, H, W)`` in which zero is no signal; the result is in their units.
    """
    moments = torch.cat([_moments_of_blocks(stack) for stack in stacks])
    if not len(moments):
        return None
    faintest = moments[:, 0].sort().values
    largest, level = LEAST_SHARE * len(moments), None
    for share in STARTS:
        second = faintest[int(share * len(moments))]
        for _ in range(20):
            air = moments[moments[:, 0] < 1.8 * second]  # three SDs of the mean over a block of pure noise
            second, fourth = air.mean(0)
        excess = 2 - fourth / second**2
        if len(air) > largest and abs(excess) <= 0.5:
            largest, level = len(air), float((second * (1 - excess.clamp(min=0).sqrt()) / 2).sqrt())
    return level


def _moments_of_blocks(stack: torch.Tensor) -> torch.Tensor:
    """Return the mean second and fourth power of each block that is not partly cut out, ``(blocks, 2)``."""
    powers = torch.stack([stack**2, stack**4, (stack == 0).float()], dim=1)
    means = F.avg_pool2d(powers, BLOCK).permute(0, 2, 3, 1).reshape(-1, 3)
    return means[means[:, 2] < 0.25, :2]
