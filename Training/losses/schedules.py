"""Learning rates, as functions of the iteration alone: a resumed run needs nothing but its number."""

from __future__ import annotations

import math
from dataclasses import dataclass


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
