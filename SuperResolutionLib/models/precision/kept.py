"""Networks in 8 bits that this process made before: the same one, shown the same, is not measured again.

To find the scales takes as long as half a slice, and a preview is one slice of a scan of which others were seen.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .int8 import in_int8

MOST = 4
Show = Callable[[Callable[..., torch.Tensor]], torch.Tensor]
"""Calls the network that it is given with some of what it will see, and returns the answer, normalised."""


@dataclass(frozen=True)
class EightBits:
    """A network in 8 bits, and the RMS by which its answers to what it was shown differ from those in float32."""

    network: nn.Module
    difference: float


_kept: dict[bytes, EightBits] = {}


def in_eight_bits(network: nn.Module, show: Show) -> EightBits:
    """Return a network that is on the CPU in 8 bits, made now or kept; ``network`` itself is not changed."""
    key = _fingerprint(network, show)
    made = _kept.pop(key, None) or _made(network, show)
    _kept[key] = made
    while len(_kept) > MOST:
        del _kept[next(iter(_kept))]
    return made


def forget() -> None:
    """Let go of all networks that are kept."""
    _kept.clear()


def _made(network: nn.Module, show: Show) -> EightBits:
    # PyTorch's own types leave memory_format out.
    exact = copy.deepcopy(network).to("cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]
    answers = []
    with torch.inference_mode():
        changed = in_int8(exact, lambda seen: answers.append(show(seen)))
        return EightBits(changed, float((show(changed) - answers[0]).square().mean().sqrt()))


def _fingerprint(network: nn.Module, show: Show) -> bytes:
    """Return what differs as soon as a weight, an argument of the network or a pixel that it is shown does."""
    found = hashlib.sha256()
    for module in network.modules():
        said = {name: value for name, value in vars(module).items() if isinstance(value, (int, float, str, tuple))}
        found.update(repr((type(module).__module__, type(module).__qualname__, sorted(said.items()))).encode())
    for name, tensor in network.state_dict().items():
        found.update(name.encode() + _content(tensor))

    def take(*inputs: Any) -> torch.Tensor:
        for value in inputs:
            found.update(_content(value) if isinstance(value, torch.Tensor) else repr(value).encode())
        return torch.zeros(len(inputs[0]), 1)

    show(take)
    return found.digest()


def _content(tensor: torch.Tensor) -> bytes:
    return repr(tensor.shape).encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes()
