from __future__ import annotations

import importlib.util
import logging
import re
import subprocess
import sys
from pathlib import Path

from .ListedDevice import ListedDevice


class DeviceCatalog:
    """The devices that a worker may run on, found without importing torch, which would keep its files locked."""

    ALWAYS = (ListedDevice("auto", "Automatic"), ListedDevice("cpu", "CPU", "Runs on the CPU, as you chose."))

    def __init__(self, listGpus=None, torchGpus=None, platform: str = sys.platform):
        """Args:
        listGpus: returns nvidia-smi's CSV lines ``index, name, free MiB, all MiB``.
        torchGpus: returns what GPUs the installed PyTorch is built for: ``cuda``, ``hip`` or "" (none); None where
            PyTorch is not installed.
        """
        self._listGpus = listGpus or self._askNvidia
        self._torchGpus = torchGpus or self._readTorchVersion
        self._platform = platform

    def devices(self) -> list[ListedDevice]:
        """Return all devices, ``ALWAYS`` first; the call takes up to a few seconds."""
        gpus = [self._gpu(*(part.strip() for part in line.split(","))) for line in self._listGpus()]
        automatic, cpu = self.ALWAYS
        devices = [ListedDevice(automatic.name, automatic.label, self._automaticChoice(gpus)), cpu, *gpus]
        if self._platform == "darwin":
            devices.append(ListedDevice("mps", "Apple GPU", "Runs on Apple's GPU."))
        return devices

    def _gpu(self, index: str, name: str, free: str, whole: str) -> ListedDevice:
        known = free.isdigit() and whole.isdigit()
        free, whole = (round(int(size) / 1024) if known else 0 for size in (free, whole))
        brief = re.sub(r"^NVIDIA (GeForce )?", "", name)
        memory = f"{free} of {whole} GB free" if known else "memory not known"
        label = f"GPU {index}: {brief}, {free} GB free" if known else f"GPU {index}: {brief}"
        return ListedDevice(f"cuda:{index}", label, f"Runs on GPU {index}: {name}, {memory}.")

    def _automaticChoice(self, gpus: list[ListedDevice]) -> str:
        if self._platform == "darwin":
            return "Runs on Apple's GPU where PyTorch can use it, else on the CPU."
        built = self._torchGpus()
        if built is None:
            return "PyTorch is not installed yet; it is offered at the first run."
        if built == "hip":
            return "Runs on the AMD GPU where PyTorch finds one, else on the CPU."
        if not gpus:
            return "Runs on the CPU: no NVIDIA GPU was found (nvidia-smi lists none)."
        if not built:
            return "Runs on the CPU: the installed PyTorch is built without GPU support; the PyTorch module changes it."
        return gpus[0].note

    def _askNvidia(self) -> list[str]:
        try:
            answer = subprocess.run(
                ["nvidia-smi", "--query-gpu=index,name,memory.free,memory.total", "--format=csv,noheader,nounits"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                errors="replace",
                timeout=5,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except FileNotFoundError:
            return []
        except (OSError, subprocess.TimeoutExpired) as error:
            logging.warning("nvidia-smi did not answer (%s); no NVIDIA GPU is listed.", error)
            return []
        return answer.stdout.splitlines() if answer.returncode == 0 else []

    def _readTorchVersion(self) -> str | None:
        package = importlib.util.find_spec("torch")
        if package is None or not package.origin:
            return None
        try:
            text = (Path(package.origin).parent / "version.py").read_text(encoding="utf-8")
        except OSError:
            return None
        built = [kind for kind in ("hip", "cuda") if re.search(rf"^{kind}\b.*= *['\"]", text, re.MULTILINE)]
        return built[0] if built else ""
