"""Values as the 256 steps of a uint8: which steps stand for which values, and how they are counted."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence

import torch

LAST = 255


def shared_zero(ranges: Sequence[tuple[float, float]]) -> tuple[int, list[float]]:
    """Return the step that means 0 in several images alike, and for each of them how much a step is.

    Args:
        ranges: lowest and highest value of each image. All steps of the image that suffers most from sharing are as
            fine as they can be.
    """
    ranges = [(min(lowest, 0.0), max(highest, 1e-6)) for lowest, highest in ranges]

    def steps(zero: int) -> list[float]:
        return [max(highest / (LAST - zero), -lowest / max(zero, 1e-9)) for lowest, highest in ranges]

    def coarsest(zero: int) -> float:
        return max(step / (highest - lowest) for step, (lowest, highest) in zip(steps(zero), ranges))

    zero = min(range(LAST), key=coarsest)
    return zero, steps(zero)


def in_steps(values: torch.Tensor, step: float, zero: int) -> torch.Tensor:
    """Return ``round(values / step) + zero``, clamped, as uint8 in the same memory layout."""
    return _counter()(values, step, zero)


@functools.cache
def _counter() -> Callable[[torch.Tensor, float, int], torch.Tensor]:
    # In one pass over the memory it takes a quarter of the time, but PyTorch 2.13 warns that it will go.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if torch.equal(_in_one_pass(torch.tensor([-9.0, 0.26]), 0.1, 3), torch.tensor([0, 6], dtype=torch.uint8)):
                return _in_one_pass
    except (AttributeError, RuntimeError):
        pass
    return _in_passes


def _in_one_pass(values: torch.Tensor, step: float, zero: int) -> torch.Tensor:
    counted = torch.quantize_per_tensor(values, step, zero, torch.quint8)
    # Its own way to a plain tensor copies, ten times as slowly as it counts.
    plain = torch.empty(0, dtype=torch.uint8)
    return plain.set_(counted.untyped_storage(), 0, counted.size(), counted.stride())


def _in_passes(values: torch.Tensor, step: float, zero: int) -> torch.Tensor:
    # PyTorch takes float32 to int8 ten times as fast as to uint8.
    signed = (values * (1 / step)).round_().add_(zero - 128).clamp_(-128, 127).to(torch.int8)
    return signed.view(torch.uint8).bitwise_xor_(128)
