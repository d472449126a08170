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

    @property
    def weight(self) -> torch.Tensor:
        """How much the square of what is missed counts, voxel by voxel."""
        return self.trust / self.noise**2

    def misses(self, fine: torch.Tensor) -> torch.Tensor:
        """Return by how much ``fine`` misses each voxel, in the voxels' units."""
        return self.measured - self.measuring(fine)


def solve(
    prior: torch.Tensor,
    doubt: torch.Tensor,
    evidence: Sequence[Evidence],
    start: torch.Tensor,
    missed: Sequence[torch.Tensor],
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
        start: the x to go on from. missed: of each stack, by how much ``start`` misses its voxels; it is changed in
            place to what is missed by the x that is returned, so that nobody has to compute it again.
        on_iteration: called after each; may raise to stop.
    """
    z = (start - prior).div_(doubt)
    gradient = _gradient(evidence, missed, doubt, z)
    direction = gradient.clone()
    squared = _dot(gradient, gradient)
    for _ in range(iterations):
        if squared == 0:
            break
        step_volume = direction * doubt
        seen = [each.measuring(step_volume) for each in evidence]
        del step_volume
        explained = sum(_dot(part, part * each.weight) for each, part in zip(evidence, seen))
        step = squared / (explained + _dot(direction, direction))
        z.add_(direction, alpha=step)
        for rest, part in zip(missed, seen):
            rest.sub_(part, alpha=step)
        gradient = _gradient(evidence, missed, doubt, z)
        before, squared = squared, _dot(gradient, gradient)
        direction.mul_(squared / before).add_(gradient)
        on_iteration()
    return z.mul_(doubt).add_(prior)


def _gradient(
    evidence: Sequence[Evidence], missed: Sequence[torch.Tensor], doubt: torch.Tensor, z: torch.Tensor
) -> torch.Tensor:
    gradient = torch.zeros_like(z)
    for each, rest in zip(evidence, missed):
        each.measuring.add_adjoint(rest * each.weight, gradient)
    return gradient.mul_(doubt).sub_(z)


def _dot(one: torch.Tensor, other: torch.Tensor) -> float:
    # In parts: a float32 sum over a whole volume at once would round.
    return sum(float(torch.dot(a.flatten(), b.flatten())) for a, b in zip(one, other))
