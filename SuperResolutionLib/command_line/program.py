"""The ``superresolution`` program: from its arguments to its exit code."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from ..errors import Cancelled, InputError
from .exit_codes import BAD_INPUT, CANCELLED
from .parser import parser
from .progress import PROGRESS


def main(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code: 0 done, 2 bad usage or input, 3 cancelled.

    An error of our own is raised, so that Python prints its traceback and exits with 1.
    """
    progress = PROGRESS["none"]()
    stop = _StopSignal()
    try:
        options = parser().parse_args(arguments)
        progress = PROGRESS[getattr(options, "progress", "none")]()
        return options.run(options, progress, stop)
    except InputError as error:
        progress.error("input", str(error))
        return BAD_INPUT
    except Cancelled:
        progress.error("cancelled", "Cancelled; nothing was written.")
        return CANCELLED
    except Exception as error:
        progress.error("fault", f"{type(error).__name__}: {error}")
        raise
    finally:
        stop.release()


class _StopSignal:
    """Turns Ctrl+C and a polite kill into ``cancelled()``; callable, as the engine wants it."""

    def __init__(self) -> None:
        self._came = False
        self._previous: dict[signal.Signals, Any] = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._remember)
            except ValueError:
                break  # Python allows handlers in its main thread only

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._came = True

    def __call__(self) -> bool:
        return self._came

    def release(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
