from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ListedDevice:
    """A device as the panel lists it.

    Attributes:
        name: the engine's word. label: short, for the list. note: one sentence that says what choosing it means.
    """

    name: str
    label: str
    note: str = ""
