from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Comparable:
    """What a result can be compared with.

    Attributes:
        label: what the panel calls it. node: the volume node.
        sharesWindow: whether its voxels mean the same as the result's, so that one window and level suits both.
    """

    label: str
    node: Any
    sharesWindow: bool = True
