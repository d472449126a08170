from __future__ import annotations

import enum


class Purpose(enum.Enum):
    """What the user wants done; ``label`` is what the panel shows, ``factor`` what the engine is asked for."""

    TIMES_2 = 2
    TIMES_4 = 4

    def label(self) -> str:
        return {Purpose.TIMES_2: "Pixels 2 times finer (×2)", Purpose.TIMES_4: "Pixels 4 times finer (×4)"}[self]

    @property
    def factor(self) -> int:
        return self.value
