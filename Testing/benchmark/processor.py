"""What the processor is and can: its class, and how fast its convolutions are at best."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

import torch
from torch import nn

from SuperResolutionLib.models.networks import Network
from SuperResolutionLib.models.precision import PreparedNetwork
from SuperResolutionLib.models.precision.onednn import why_not

CPU = torch.device("cpu")
SIDE = 256


def processor_class() -> str:
    """Return the processor's name and what of it makes convolutions fast, in words."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    flags = ("avx2", "avx_vnni", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
    found = [flag for flag in flags if capabilities.get(flag)]
    limits = [
        f"{name}={os.environ[name]}" for name in ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY") if name in os.environ
    ]
    name = capabilities.get("cpu_name") or platform.processor() or platform.machine()
    return f"{name} ({', '.join(found)}){', limited by ' + ', '.join(limits) if limits else ''}"


def peak(precision: str) -> float:
    """Return the operations a second (two for each product) of a 3 x 3 convolution of 64 to 64 channels, at best."""
    convolution = nn.Conv2d(64, 64, 3, padding=1)
    nn.init.constant_(convolution.weight, 0.1)
    nn.init.zeros_(convolution.bias)
    image = torch.full((1, 64, SIDE, SIDE), 0.5).contiguous(memory_format=torch.channels_last)
    prepared = PreparedNetwork(nn.Sequential(convolution), CPU, precision, lambda call: call(image) * 0)
    return operations(nn.Sequential(convolution), image) / fastest(lambda: prepared(image))


def reached(network: Network, precision: str) -> float:
    """Return the operations a second of a network's convolutions in its answer to a slice, all else included."""
    image = torch.linspace(0, 1, SIDE).expand(1, 1, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    prepared = PreparedNetwork(network, CPU, precision, lambda call: call(image))
    return operations(network, image) / fastest(lambda: prepared(image))


def precisions() -> list[str]:
    """Return the precisions that can be had here, the usual one first."""
    return ["float32", "bfloat16", *([] if why_not() else ["int8"])]


def operations(network: nn.Module, image: torch.Tensor) -> float:
    """Return the operations of a network's convolutions in its answer to an image, two for each product."""
    counted = []

    def count(convolution: nn.Module, inputs: tuple[torch.Tensor, ...], answer: torch.Tensor) -> None:
        counted.append(2.0 * convolution.weight[0].numel() * answer.numel())

    hooks = [part.register_forward_hook(count) for part in network.modules() if isinstance(part, nn.Conv2d)]
    with torch.inference_mode():
        network(image)
    for hook in hooks:
        hook.remove()
    return sum(counted)


def fastest(work: Callable[[], object]) -> float:
    """Return the seconds that ``work`` takes at best: of the processor where one thread runs, else on the clock."""
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    taken = []
    with torch.inference_mode():
        for _ in range(6):
            began = now()
            work()
            taken.append(now() - began)
    return min(taken)
