from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PackageState:
    """What a Python has, and what its machine has. A version is "" where the package is missing.

    Attributes:
        torchFault: why torch, whose files are there, does not import; "" where it does or is missing.
        others: package name to version, for the packages of requirements.txt.
        nvidia: whether the machine has an NVIDIA driver, for which another and larger PyTorch is installed.
        freeBytes: room on the disk that packages are installed to.
    """

    python: str
    numpy: str
    torch: str = ""
    torchFault: str = ""
    others: dict[str, str] = field(default_factory=dict)
    nvidia: bool = False
    freeBytes: int = 0
