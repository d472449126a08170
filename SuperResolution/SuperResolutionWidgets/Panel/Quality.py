from __future__ import annotations

import enum


class Quality(enum.Enum):
    """How much time a result may take; the value is the engine's word, ``label`` what the panel shows."""

    FAST = "fast"
    STANDARD = "standard"
    BEST = "best"

    def label(self) -> str:
        return {
            Quality.FAST: "Fast",
            Quality.STANDARD: "Standard",
            Quality.BEST: "Best (8 times slower)",
        }[self]
