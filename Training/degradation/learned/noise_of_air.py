"""The level of the noise, from the air around the body."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from SuperResolutionLib.acquisition.noise import add_rician_noise
from Training.degradation.learned.blur_and_noise import LearnedDegradation

BLOCK = 4  # voxels
LEAST_SHARE = 0.03  # of all blocks
STARTS = 0.05, 0.15, 0.3  # shares of the blocks that are fainter than where the search for air begins
STEPS = 4  # towards the noise to add


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


def noise_to_add(
    in_air: float, sharp: Sequence[torch.Tensor], blur: LearnedDegradation, generator: torch.Generator
) -> float:
    """Return the noise with which the air of degraded sharp slices, which have some, is as noisy as the scan's.

    Where their air shows none, or they seem noisier than the scan, the scan's level is returned: pairs with too much
    noise do less harm than pairs with none.

    Args:
        in_air: ``noise_of_air`` of the scan. sharp: stacks of fine slices ``(N, H, W)``, in signal units.
        blur: what they are degraded by; its own noise is left out.
    """
    blurred = []
    for stack in sharp:
        height, width = (size // blur.factor * blur.factor for size in stack.shape[1:])
        blurred.append(blur.operator(stack[:, None, :height, :width].clamp(min=0), blur.factor)[:, 0])
    level = in_air
    for _ in range(STEPS):
        # where a background was cut out, nobody measured anything
        made = noise_of_air([add_rician_noise(stack, level, generator) * (stack > 0) for stack in blurred])
        if made is None:
            return level
        power = level**2 + in_air**2 - made**2
        if power <= (in_air / 10) ** 2:
            return in_air
        level = math.sqrt(power)
    return level


def _moments_of_blocks(stack: torch.Tensor) -> torch.Tensor:
    """Return the mean second and fourth power of each block that is not partly cut out, ``(blocks, 2)``."""
    powers = torch.stack([stack**2, stack**4, (stack == 0).float()], dim=1)
    means = F.avg_pool2d(powers, BLOCK).permute(0, 2, 3, 1).reshape(-1, 3)
    return means[means[:, 2] < 0.25, :2]
