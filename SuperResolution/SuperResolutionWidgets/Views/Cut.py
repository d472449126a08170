from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cut:
    """A part of a volume that is one voxel thick: a slice, or a cut through the slices.

    Attributes:
        axis: across the cut; 0, 1, 2 for i, j, k. first, last: its index box along i, j and k, the last one excluded.
        sliceNode: the slice view that shows it, or None.
    """

    axis: int
    first: tuple[int, int, int]
    last: tuple[int, int, int]
    sliceNode: Any = None

    @property
    def index(self) -> int:
        return self.first[self.axis]
