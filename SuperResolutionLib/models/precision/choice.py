"""The precision that a network runs fastest in on a device: measured once, then remembered."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from . import onednn
from .int8 import in_int8, wide_convolutions
from .remembered import remember, remembered

PRODUCTS = 1.2e8
"""Of a trial: multiplications of a convolution at a time."""
HOPELESS = 3.0
"""A precision whose first call takes so many times as long as float32 is given up; emulated bfloat16 takes 12."""
BFLOAT16_PAYS, INT8_PAYS = 0.75, 0.9
"""The largest share of the other's time at which a precision is taken."""


@dataclass(frozen=True)
class Choice:
    """A precision.

    Attributes:
        precision: the fastest one. otherwise: the fastest one in floating point.
        because: why so, in words.
    """

    precision: str
    otherwise: str
    because: str


def fastest_precision(network: nn.Module, device: torch.device) -> Choice:
    """Return what ``network`` runs fastest in: float16 on CUDA, float32 on MPS, measured on a CPU.

    On the CPU its most laborious convolution is timed on a small image, in less than 0.1 s; bfloat16 doubles the speed
    of some CPUs and takes twelve times as long on others that have the same flags. What was found is remembered for
    this machine, this PyTorch and such convolutions, so that a network answers alike from run to run.
    """
    if device.type == "cuda":
        return Choice("float16", "float16", "it is the fastest on a GPU of NVIDIA's")
    if device.type != "cpu":
        return Choice("float32", "float32", "it is the only one that was tried on this kind of device")
    convolution = _most_laborious(network)
    lacking = onednn.why_not() if wide_convolutions(convolution) else "its convolutions are narrow"
    name = f"{'x'.join(map(str, convolution.weight.shape))}{' 8 bits: ' + lacking if lacking else ''}"
    known = remembered(name)
    if known is None:
        known = remember(name, _seconds(convolution, bool(lacking)))
    otherwise = "bfloat16" if known.get("bfloat16", float("inf")) < BFLOAT16_PAYS * known["float32"] else "float32"
    if "int8" in known and known["int8"] < INT8_PAYS * known[otherwise]:
        return Choice("int8", otherwise, "it is the fastest on this CPU")
    because = f"int8 cannot be had: {lacking}" if lacking else "it is the fastest on this CPU"
    return Choice(otherwise, otherwise, because)


def _most_laborious(network: nn.Module) -> nn.Conv2d:
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.random.fork_rng(devices=[]):
        usual = nn.Conv2d(64, 64, 3, padding=1)
    return max(convolutions, key=lambda module: module.weight.numel(), default=usual)


def _seconds(convolution: nn.Conv2d, floats_only: bool) -> dict[str, float]:
    """Return the seconds that one call of the convolution takes in each precision that is worth a trial."""
    side = max(16, round((PRODUCTS / convolution.weight.numel()) ** 0.5))
    image = torch.full((1, convolution.in_channels, side, side), 0.5).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        # PyTorch's own types leave memory_format out.
        plain = nn.Sequential(copy.deepcopy(convolution)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        seconds = {"float32": _fastest_call(lambda: plain(image), float("inf"))}
        if not floats_only:
            quantised = in_int8(plain, lambda network: network(image))
            seconds["int8"] = _fastest_call(lambda: quantised(image), float("inf"))
        half, half_image = plain.bfloat16(), image.bfloat16()
        seconds["bfloat16"] = _fastest_call(lambda: half(half_image), HOPELESS * seconds["float32"])
    return seconds


def _fastest_call(work: Callable[[], object], hopeless: float) -> float:
    """Return the seconds of the fastest of some calls after the first; of that alone where it is ``hopeless``."""
    taken = []
    for _ in range(4):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
        if taken[0] > hopeless:
            return taken[0]
    return min(taken[1:])
