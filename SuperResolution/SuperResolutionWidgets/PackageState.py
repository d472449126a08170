from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PackageState:
    """What a Python has. A version is "" where the package is missing.

    Attributes:
        torchFault: why torch, whose files are there, does not import; "" where it does or is missing.
        others: package name to version, for the packages of requirements.txt.
    """

    python: str
    numpy: str
    torch: str = ""
    torchFault: str = ""
    others: dict[str, str] = field(default_factory=dict)
