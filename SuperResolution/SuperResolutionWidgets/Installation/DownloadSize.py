from __future__ import annotations

from .PackageState import PackageState


class DownloadSize:
    """What an installation takes, in words for the user. GB of PyTorch 2.8 for CUDA and 2.13 for the CPU, on Linux,
    as the README states them. Spaces between a number and its unit do not break.

    PyTorch for NVIDIA brings the CUDA libraries with it.
    """

    GIGABYTE = 1e9
    TORCH = (0.3, 0.8)
    TORCH_FOR_NVIDIA = (3.9, 6.7)

    def __init__(self, state: PackageState):
        self._state = state

    def ofTorch(self) -> str:
        """Return such as ``about 3.9 GB to download, 6.7 GB on the disk, for the NVIDIA graphics card``."""
        download, disk = self._torch()
        reason = ", for the NVIDIA graphics card" if self._state.nvidia else ""
        return f"about {download:g}\u00a0GB to download, {disk:g}\u00a0GB on the disk{reason}"

    def ofOthers(self) -> str:
        return "less than 20\u00a0MB"

    def room(self, withTorch: bool) -> str:
        """Return a sentence on the free disk space, a warning where it will not do."""
        free = self._state.freeBytes / self.GIGABYTE
        needed = self._torch()[1] if withTorch else 0.1
        return (
            f"{free:.1f}\u00a0GB are free there."
            if free > needed
            else f"Only {free:.1f}\u00a0GB are free there: make room first."
        )

    def _torch(self) -> tuple[float, float]:
        return self.TORCH_FOR_NVIDIA if self._state.nvidia else self.TORCH
