"""What changes during a run, as functions of the iteration alone: a resumed run needs nothing but its number."""

from __future__ import annotations

import math
from dataclasses import dataclass


class Phases:
    """Settings by phase, such as the loss's weights or the size of the patches.

    Args:
        phases: ``[{"until": share of the iterations, setting: value, ...}, ...]``; the last one ends at 1.
        iterations: of the whole run.

    Raises:
        ValueError: the shares do not rise to 1.
    """

    def __init__(self, phases: list[dict], iterations: int):
        shares = [phase["until"] for phase in phases]
        if shares != sorted(set(shares)) or shares[-1:] != [1]:
            raise ValueError(f"the phases must end at rising shares of the iterations, the last at 1, not at {shares}")
        self._ends = [share * iterations for share in shares]
        self._settings = [{key: value for key, value in phase.items() if key != "until"} for phase in phases]

    @property
    def names(self) -> set[str]:
        """The names of all phases' settings."""
        return {name for settings in self._settings for name in settings}

    def __call__(self, iteration: int) -> dict:
        """Return the settings of the first phase that has not ended."""
        return next(settings for end, settings in zip(self._ends, self._settings) if iteration < end)


@dataclass(frozen=True)
class WarmUpCosine:
    """A learning rate that rises linearly to ``peak`` and falls by half a cosine to ``last``."""

    peak: float
    last: float
    warm_up: int
    iterations: int

    def __call__(self, iteration: int) -> float:
        if iteration < self.warm_up:
            return self.peak * (iteration + 1) / self.warm_up
        progress = (iteration - self.warm_up) / max(1, self.iterations - self.warm_up)
        return self.last + (self.peak - self.last) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class Halvings:
    """A learning rate that is halved at even distances, from ``first`` to ``last`` (Wang et al. 2018, ESRGAN).

    From 1e-4 to 1.25e-5, as in SRGAN-D, it is halved three times: after each quarter of the iterations.
    """

    first: float
    last: float
    iterations: int

    def __call__(self, iteration: int) -> float:
        halvings = round(math.log2(self.first / self.last))
        return self.first / 2 ** ((halvings + 1) * iteration // self.iterations)
