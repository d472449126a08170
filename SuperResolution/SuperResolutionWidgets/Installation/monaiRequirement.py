from __future__ import annotations

from .versionNumbers import versionNumbers

# MONAI's minor version, then the least torch and Python, and the first NumPy that it does not work with.
SERIES = (
    ("1.6", (2, 8), (3, 10), (3, 0)),
    ("1.5", (2, 4, 1), (3, 9), (3, 0)),
    ("1.4", (1, 9), (3, 9), (2, 0)),
)


def monaiRequirement(torchVersion: str, numpyVersion: str, pythonVersion: str) -> str | None:
    """Return the requirement of the newest MONAI that runs with what is installed, so that pip replaces nothing.

    Args:
        torchVersion, numpyVersion, pythonVersion: such as ``"2.2.2+cpu"``, ``"1.26.4"``, ``"3.9"``.

    Returns:
        Such as ``"monai>=1.4,<1.5"``; None where no MONAI fits.
    """
    torch, numpy, python = map(versionNumbers, (torchVersion, numpyVersion, pythonVersion))
    for series, leastTorch, leastPython, numpyLimit in SERIES:
        if torch >= leastTorch and python >= leastPython and numpy < numpyLimit:
            major, minor = series.split(".")
            return f"monai>={series},<{major}.{int(minor) + 1}"
    return None
