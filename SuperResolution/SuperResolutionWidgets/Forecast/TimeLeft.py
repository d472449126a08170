from __future__ import annotations

import time


class TimeLeft:
    """Foretells the time that a part of a run still takes from the pace since its first step."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._first = None
        self._total = None

    def text(self, done: int, total: int) -> str:
        """Return such as ``2 min left``, or "" until the pace is known; another ``total`` begins another part."""
        now = self._clock()
        if self._first is None or total != self._total:
            self._first, self._total = (now, done), total
        began, first = self._first
        elapsed = now - began
        if done <= first or elapsed < 1:
            return ""
        seconds = elapsed / (done - first) * (total - done)
        if seconds < 60:
            return f"{max(1, round(seconds))} s left"
        if seconds < 3600:
            return f"{round(seconds / 60)} min left"
        return f"{seconds / 3600:.1f} h left"
