"""A network made ready for a device and a precision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .int8 import in_int8

LARGEST_DIFFERENCE = 0.01
"""RMS by which 8-bit answers may differ from those in float32, as a share of the intensity range."""

LARGEST_KEPT = 2**25 - 2**16
"""Bytes of the largest block of memory that glibc can be made to keep."""

Show = Callable[[Callable[..., torch.Tensor]], torch.Tensor]
"""Calls the network that it is given with some of what it will see, and returns the answer, normalised."""


class PreparedNetwork:
    """A network on a device, in a precision: it is called as the network is, and answers in float32.

    Args:
        network: float32, in evaluation mode, on any device; it is copied.
        precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` or ``"int8"``, which is for the CPU.
        show: what ``"int8"`` takes the scales of the activations from, and is checked on; None where it is not wanted.
        otherwise: the precision that is taken where the check fails.

    Attributes:
        precision: what it runs in. reason: why that is not what was asked for; "" where it is.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        precision: str = "float32",
        show: Show | None = None,
        otherwise: str = "float32",
    ):
        if device.type == "cpu":
            _keep_freed_memory()
        self.device, self.precision, self.reason = device, precision, ""
        # PyTorch's own types leave memory_format out.
        self._network = copy.deepcopy(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision == "int8":
            self._take_int8(show, otherwise)

    def __call__(self, *inputs: Any) -> torch.Tensor:
        if self.precision in ("float32", "int8"):
            return self._network(*inputs)
        with torch.autocast(self.device.type, getattr(torch, self.precision)):
            return self._network(*inputs).float()

    def _take_int8(self, show: Show | None, otherwise: str) -> None:
        if show is None:
            raise ValueError("int8 needs something to take the scales from")
        exact = []
        with torch.inference_mode():
            changed = in_int8(self._network, lambda network: exact.append(show(network)))
            difference = float((show(changed) - exact[0]).square().mean().sqrt())
        if difference <= LARGEST_DIFFERENCE:
            self._network = changed
            return
        self.precision = otherwise
        self.reason = f"8 bits would change the answers by {100 * difference:.1f} % of the intensity range"


def _keep_freed_memory() -> None:
    """Have glibc keep the memory of freed tensors for the next ones.

    It gives blocks back to the system, which clears each page anew when it is next written to, a sixth of the time of a
    compact network, until a block of a size was once freed (mallopt(3), "the dynamic mmap threshold").
    """
    torch.empty(LARGEST_KEPT, dtype=torch.uint8)
