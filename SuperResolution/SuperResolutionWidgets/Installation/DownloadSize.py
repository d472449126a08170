from __future__ import annotations

from .PackageState import PackageState


class DownloadSize:
    """What an installation takes, in words for the user. GB of PyTorch 2.8 for CUDA and 2.13 for the CPU, on Linux.

    PyTorch for NVIDIA brings the CUDA libraries with it.
    """

    GIGABYTE = 1e9
    TORCH = (0.3, 1.0)
    TORCH_FOR_NVIDIA = (4.0, 7.0)

    def __init__(self, state: PackageState):
        self._state = state

    def ofTorch(self) -> str:
        """Return such as ``about 4 GB to download, 7 GB on the disk, for the NVIDIA graphics card``."""
        download, disk = self._torch()
        reason = ", for the NVIDIA graphics card" if self._state.nvidia else ""
        return f"about {download:g} GB to download, {disk:g} GB on the disk{reason}"

    def ofOthers(self) -> str:
        return "less than 20 MB"

    def room(self, withTorch: bool) -> str:
        """Return a sentence on the free disk space, a warning where it will not do."""
        free = self._state.freeBytes / self.GIGABYTE
        needed = self._torch()[1] if withTorch else 0.1
        return (
            f"{free:.1f} GB are free there."
            if free > needed
            else f"Only {free:.1f} GB are free there: make room first."
        )

    def _torch(self) -> tuple[float, float]:
        return self.TORCH_FOR_NVIDIA if self._state.nvidia else self.TORCH
