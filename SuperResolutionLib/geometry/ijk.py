"""Three values, one along each of the axes i, j and k of a grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def ijk(values: Iterable[Number]) -> tuple[Number, Number, Number]:
    """Return the values along i, j and k as the tuple of three that they are.

    Raises:
        ValueError: they are more or fewer.
    """
    i, j, k = values
    return i, j, k


def with_along(values: tuple[Number, Number, Number], axis: int, value: Number) -> tuple[Number, Number, Number]:
    """Return ``values``, along i, j and k, with ``value`` along ``axis`` (0, 1, 2) instead."""
    changed = list(values)
    changed[axis] = value
    return ijk(changed)
