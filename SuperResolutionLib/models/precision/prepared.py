"""A network made ready for a device and a precision."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from .kept import Show, in_eight_bits

LARGEST_DIFFERENCE = 0.01
"""RMS by which 8-bit answers may differ from those in float32, as a share of the intensity range."""

LARGEST_KEPT = 2**25 - 2**16
"""Bytes of the largest block of memory that glibc can be made to keep."""


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
        if precision == "int8":
            eight_bits = self._in_eight_bits(network, show)
            if eight_bits is not None:
                self._network = eight_bits
                return
            self.precision = otherwise
        # PyTorch's own types leave memory_format out.
        self._network = copy.deepcopy(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, *inputs: Any) -> torch.Tensor:
        if self.precision in ("float32", "int8"):
            return self._network(*inputs)
        with torch.autocast(self.device.type, getattr(torch, self.precision)):
            return self._network(*inputs).float()

    def _in_eight_bits(self, network: nn.Module, show: Show | None) -> nn.Module | None:
        """Return the network in 8 bits; None where these would change its answers too much, which is the reason."""
        if show is None:
            raise ValueError("int8 needs something to take the scales from")
        made = in_eight_bits(network, show)
        if made.difference <= LARGEST_DIFFERENCE:
            return made.network
        self.reason = f"8 bits would change the answers by {100 * made.difference:.1f} % of the intensity range"
        return None


def _keep_freed_memory() -> None:
    """Have glibc keep the memory of freed tensors for the next ones.

    It gives blocks back to the system, which clears each page anew when it is next written to, a sixth of the time of a
    compact network, until a block of a size was once freed (mallopt(3), "the dynamic mmap threshold").
    """
    torch.empty(LARGEST_KEPT, dtype=torch.uint8)
