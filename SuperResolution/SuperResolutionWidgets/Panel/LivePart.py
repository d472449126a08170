from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..Scene.Companion import Companion
from ..Views.Cut import Cut


@dataclass(frozen=True)
class LivePart:
    """What is on show of a volume, and how it is to be upscaled.

    Attributes:
        volume: a ``Volume``; another object is another scan. options: of the command ``upscale``, but for the box.
        cut: the part of it, and the view that shows it.
        companions: the expected error, where it is wanted over the result.
    """

    volume: Any
    options: tuple[str, ...]
    cut: Cut
    companions: tuple[Companion, ...] = ()

    def isLike(self, other: LivePart) -> bool:
        """Return whether both are of the same scan, upscaled in the same way."""
        alike = self.options == other.options and self.companions == other.companions
        return self.volume is other.volume and alike

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
