from __future__ import annotations

import logging
import subprocess
import sys


class DeviceCatalog:
    """The devices that a worker may run on, found without importing torch, which would keep its files locked."""

    ALWAYS = (("auto", "Automatic"), ("cpu", "CPU"))

    def __init__(self, listGpus=None, platform: str = sys.platform):
        """Args:
        listGpus: returns nvidia-smi's CSV lines ``index, name, memory in MiB``.
        """
        self._listGpus = listGpus or self._askNvidia
        self._platform = platform

    def devices(self) -> list[tuple[str, str]]:
        """Return ``(engine's name, label)`` of each device; the call takes up to a few seconds."""
        devices = list(self.ALWAYS)
        for line in self._listGpus():
            index, name, mebibytes = (part.strip() for part in line.split(","))
            memory = f"{round(int(mebibytes) / 1024)} GB" if mebibytes.isdigit() else "memory not known"
            devices.append((f"cuda:{index}", f"GPU {index}: {name}, {memory}"))
        if self._platform == "darwin":
            devices.append(("mps", "Apple GPU"))
        return devices

    def _askNvidia(self) -> list[str]:
        try:
            answer = subprocess.run(
                ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"],
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
