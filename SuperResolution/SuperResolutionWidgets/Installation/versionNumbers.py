from __future__ import annotations


def versionNumbers(version: str) -> tuple[int, ...]:
    """Return the release numbers that a version begins with: ``"2.8.0rc1+cu126"`` is ``(2, 8, 0)``."""
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)
