from __future__ import annotations

import codecs
import json
from typing import Callable


class WorkerMessages:
    """Understands what a worker writes: JSON events on standard output, a log on standard error.

    Attributes:
        hasBegun: whether a step of the work was told. result, error: the last event of that kind, or None.
        files: the events of the volumes that are done, in a run on several.
    """

    LOG_LINES = 200

    def __init__(self, onProgress: Callable[[int, int, str], None]):
        self._onProgress = onProgress
        self._decoders = [codecs.getincrementaldecoder("utf-8")(errors="replace") for _ in range(2)]
        self._unfinished = ""
        self._log = ""
        self.ready: dict | None = None
        self.hasBegun = False
        self.files: list[dict] = []
        self.result: dict | None = None
        self.error: dict | None = None

    def addOutput(self, data: bytes) -> None:
        """Take bytes of standard output, cut anywhere, and act on each whole line."""
        *lines, self._unfinished = (self._unfinished + self._decoders[0].decode(data)).split("\n")
        for line in lines:
            self._act(line)

    def addErrorOutput(self, data: bytes) -> None:
        """Take bytes of standard error, cut anywhere; the last ``LOG_LINES`` lines are kept."""
        self._log = "\n".join((self._log + self._decoders[1].decode(data)).split("\n")[-self.LOG_LINES :])

    def lastLines(self, count: int) -> str:
        """Return the last lines that are not blank of the log."""
        return "\n".join([line.rstrip() for line in self._log.split("\n") if line.strip()][-count:])

    def _act(self, line: str) -> None:
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, KeyError, TypeError):
            # A library that prints; it belongs to the log.
            self._log += line + "\n"
            return
        if kind == "progress":
            self.hasBegun = True
            self._onProgress(event["done"], event["total"], event["message"])
        elif kind == "result":
            self.result = event
        elif kind == "file":
            self.files.append(event)
        elif kind == "error":
            self.error = event
        elif kind == "ready":
            self.ready = event
