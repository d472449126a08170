from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..Views.Cut import Cut


@dataclass(frozen=True)
class LivePart:
    """What is on show of a volume, and how it is to be upscaled.

    Attributes:
        volume: a ``Volume``; another object is another scan. options: of the command ``upscale``, but for the box.
        cut: the part of it, and the view that shows it.
    """

    volume: Any
    options: tuple[str, ...]
    cut: Cut

    def isLike(self, other: LivePart) -> bool:
        """Return whether both are of the same scan, upscaled in the same way."""
        return self.volume is other.volume and self.options == other.options

    def covers(self, other: LivePart) -> bool:
        """Return whether this holds all of what the other is."""
        return self._isBeside(other) and all(
            first <= begin and end <= last
            for first, begin, end, last in zip(self.cut.first, other.cut.first, other.cut.last, self.cut.last)
        )

    def overlaps(self, other: LivePart) -> bool:
        """Return whether this holds something of what the other is."""
        return self._isBeside(other) and all(
            first < end and begin < last
            for first, begin, end, last in zip(self.cut.first, other.cut.first, other.cut.last, self.cut.last)
        )

    def _isBeside(self, other: LivePart) -> bool:
        cut, theirs = self.cut, other.cut
        return self.isLike(other) and cut.sliceNode is theirs.sliceNode and cut.axis == theirs.axis
