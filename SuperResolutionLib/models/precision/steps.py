"""Values as the 256 steps of a uint8: which steps stand for which values, and how they are counted."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch

LAST = 255


def shared_zero(ranges: Sequence[tuple[float, float]]) -> tuple[int, list[float]]:
    """Return the step that means 0 in several images alike, and for each of them how much a step is.

    Args:
        ranges: lowest and highest value of each image. All steps of the image that suffers most from sharing are as
            fine as they can be.
    """
    lowest, highest = (np.array(ends, float)[:, None] for ends in zip(*ranges))
    lowest, highest = np.minimum(lowest, 0), np.maximum(highest, 1e-6)
    zeros = np.arange(LAST)
    steps = np.maximum(highest / (LAST - zeros), -lowest / np.maximum(zeros, 1e-9))
    zero = int((steps / (highest - lowest)).max(axis=0).argmin())
    return zero, steps[:, zero].tolist()


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
