"""The fine volume that explains all stacks best: least squares from a prior, by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .measuring import Measuring


@dataclass
class Evidence:
    """What one stack says.

    Attributes:
        measuring: its operator.
        measured: its voxels ``(k, j, i)`` float32, levelled.
        noise: SD of their noise, in the same units.
        trust: 0 to 1, how much each voxel counts; broadcasts to ``(k, j, i)``.
    """

    measuring: Measuring
    measured: torch.Tensor
    noise: float
    trust: torch.Tensor

    def misses(self, fine: torch.Tensor) -> torch.Tensor:
        """Return by how much ``fine`` misses each voxel, in the voxels' units."""
        return self.measured - self.measuring(fine)


def solve(
    prior: torch.Tensor,
    doubt: torch.Tensor,
    evidence: Sequence[Evidence],
    iterations: int,
    on_iteration: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Return the x, ``(k, j, i)``, for which the sum of all squared misses is least.

    That is, over all stacks, trust (A x - y)^2 / noise^2, and (x - prior)^2 / doubt^2.

    With x = prior + doubt * z this is well conditioned; conjugate gradients for least squares (Hestenes and Stiefel
    1952; CGLS as in Bjorck 1996, "Numerical methods for least squares problems") apply each A and its adjoint once an
    iteration and hold four fine volumes.

    Args:
        prior: where nothing was measured it stays as it is.
        doubt: SD of the error of ``prior`` at each voxel, same shape, above 0.
        on_iteration: called after each; may raise to stop.
    """
    root = [torch.sqrt(each.trust) / each.noise for each in evidence]
    left = [each.misses(prior) * weight for each, weight in zip(evidence, root)]
    z = torch.zeros_like(prior)
    gradient = _gradient(evidence, root, left, doubt, z)
    direction = gradient.clone()
    squared = _dot(gradient, gradient)
    for _ in range(iterations):
        if squared == 0:
            break
        step_volume = direction * doubt
        seen = [each.measuring(step_volume) * weight for each, weight in zip(evidence, root)]
        del step_volume
        step = squared / (sum(_dot(part, part) for part in seen) + _dot(direction, direction))
        z.add_(direction, alpha=step)
        for rest, part in zip(left, seen):
            rest.sub_(part, alpha=step)
        gradient = _gradient(evidence, root, left, doubt, z)
        before, squared = squared, _dot(gradient, gradient)
        direction.mul_(squared / before).add_(gradient)
        on_iteration()
    return z.mul_(doubt).add_(prior)


def _gradient(
    evidence: Sequence[Evidence],
    root: Sequence[torch.Tensor],
    left: Sequence[torch.Tensor],
    doubt: torch.Tensor,
    z: torch.Tensor,
) -> torch.Tensor:
    gradient = torch.zeros_like(z)
    for each, weight, rest in zip(evidence, root, left):
        each.measuring.add_adjoint(rest * weight, gradient)
    return gradient.mul_(doubt).sub_(z)


def _dot(one: torch.Tensor, other: torch.Tensor) -> float:
    # In parts: a float32 sum over a whole volume at once would round.
    return sum(float(torch.dot(a.flatten(), b.flatten())) for a, b in zip(one, other))
