from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelEntry:
    """An installed model as the panel lists it. ``hasDetail`` tells whether it has both weight sets."""

    name: str
    description: str
    factor: int
    quality: str
    hasDetail: bool
    defaultDetail: float
