"""What is installed, whether it works, and what to do where it does not."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import InputError
from ..version import VERSION

PACKAGES = ("torch", "numpy", "SimpleITK", "safetensors", "tqdm", "monai", "pydicom")


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: its name, whether it is well, and the version or what to do."""

    subject: str
    healthy: bool
    text: str


def check_installation() -> Iterator[Finding]:
    """Yield what was found of Python, the packages (imported: metadata outlives broken installs), devices, models."""
    yield Finding("SuperResolution", True, VERSION)
    yield Finding("Python", True, f"{platform.python_version()} on {platform.platform()}")
    working = set()
    for name in PACKAGES:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # a broken binary raises anything, OSError on Windows among others
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            yield Finding(name, False, f"cannot be imported ({reason}); install it again")
            continue
        # What a broken installation leaves behind, a folder without its files, imports as an empty module.
        if getattr(module, "__file__", None) is None:
            yield Finding(name, False, "its files are incomplete; install it again")
        else:
            working.add(name)
            yield Finding(name, True, str(getattr(module, "__version__", "version not stated")))
    if not {"torch", "safetensors"} <= working:
        return
    yield from _check_devices()
    yield from _check_models()


def _check_devices() -> Iterator[Finding]:
    import torch

    from ..models.devices import available_devices
    from ..models.networks import CompactNet
    from ..models.precision import fastest_precision

    devices = available_devices()
    for device in devices:
        free = f", {device.free_bytes / 2**30:.1f} GiB free" if device.free_bytes else ""
        precision = fastest_precision(CompactNet(4), torch.device(device.name)).precision
        yield Finding(f"device {device.name}", True, f"{device.label}{free}, runs in {precision}")
    if len(devices) == 1:
        reason = (
            "PyTorch was built for CUDA but finds no usable GPU; check the driver"
            if torch.version.cuda
            else "this PyTorch was built for the CPU only"
        )
        yield Finding("GPU", True, f"none: {reason}")


def _check_models() -> Iterator[Finding]:
    from ..models.bundles import installed_models

    try:
        models = installed_models()
    except InputError as error:
        yield Finding("models", False, str(error))
        return
    if not models:
        yield Finding("models", False, "none installed; install SuperResolution again")
    for model in models:
        try:
            for detail in (0, 1) if model.has_detail else (0,):
                network = model.load(detail)
            if model.predicts_error:
                model.with_error(network, 0.0, 0.0)
        except InputError as error:
            yield Finding(f"model {model.name}", False, str(error))
        else:
            yield Finding(f"model {model.name}", True, f"x{model.factor} {model.modality}, digests agree")
