"""The devices that can run a network."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..errors import InputError

BYTES_A_PIXEL = 2000
"""What the larger network for x4 is taken to need for a pixel of its input, on a GPU in float16. Eight slices of
256 x 256 took 0.7 GB, 1300 a pixel, before it saw neighbours."""
SHARE_OF_FREE_MEMORY = 0.5
USUAL_SLICES, MOST_SLICES = 8, 32
"""Slices where the free memory is not known, and where there is plenty: more keep no GPU busier."""


@dataclass(frozen=True)
class Device:
    """A device as ``torch`` names it, what a person calls it, and its free memory in bytes (0: not known)."""

    name: str
    label: str
    free_bytes: int = 0


def available_devices() -> list[Device]:
    """Return the usable devices, fastest first; the CPU is always the last one."""
    devices = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, _ = torch.cuda.mem_get_info(index)
        devices.append(Device(f"cuda:{index}", torch.cuda.get_device_name(index), free))
    if torch.backends.mps.is_available():
        devices.append(Device("mps", "Apple GPU"))
    return [*devices, Device("cpu", f"CPU ({torch.get_num_threads()} threads)")]


def choose_device(name: str) -> Device:
    """Return the device for ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``auto`` is the fastest one.

    Raises:
        InputError: the device is not there.
    """
    devices = available_devices()
    if name == "auto":
        return devices[0]
    wanted = "cuda:0" if name == "cuda" else name
    for device in devices:
        if device.name == wanted:
            return device
    names = ", ".join(device.name for device in devices)
    raise InputError(f"There is no device {name} here; choose auto or one of {names}.")


def slices_at_once(device: Device, pixels: int) -> int:
    """Return how many slices of so many pixels a device computes together: on a GPU as many as keep it busy and fit.

    On a CPU the activations of two would fall out of its caches.
    """
    if device.name == "cpu":
        return 1
    if not device.free_bytes:
        return USUAL_SLICES
    fitting = int(SHARE_OF_FREE_MEMORY * device.free_bytes / (BYTES_A_PIXEL * pixels))
    return max(1, min(fitting, MOST_SLICES))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether PyTorch raised ``error`` since a device, or the computer, has no memory left."""
    message = str(error).lower()
    return "out of memory" in message or "can't allocate memory" in message
