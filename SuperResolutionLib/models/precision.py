"""The precision that a network runs fastest in on a device."""

from __future__ import annotations

import functools
import time

import torch


@functools.cache
def fastest_precision(device: torch.device) -> torch.dtype:
    """Return the type that convolutions run fastest in: float16 on CUDA, float32 on MPS, measured on the CPU.

    bfloat16 doubles the speed of some CPUs and halves that of others with the same instruction flags, so a small
    convolution is timed (about 50 ms, once a process).
    """
    if device.type == "cuda":
        return torch.float16
    if device.type != "cpu":
        return torch.float32
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        convolution = torch.nn.Conv2d(64, 64, 3, padding=1, dtype=dtype)
        # PyTorch's own types leave memory_format out.
        convolution = convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = torch.rand(1, 64, 96, 96).to(dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            convolution(image)
            timings = []
            for _ in range(3):
                began = time.perf_counter()
                convolution(image)
                timings.append(time.perf_counter() - began)
        seconds[dtype] = min(timings)
    return torch.bfloat16 if seconds[torch.bfloat16] < 0.75 * seconds[torch.float32] else torch.float32
