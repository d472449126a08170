from __future__ import annotations

from typing import Callable, Protocol


class WorkerProcess(Protocol):
    """A running command line of the engine. All callbacks come on the thread that called ``start``."""

    def start(
        self,
        arguments: list[str],
        onOutput: Callable[[bytes], None],
        onErrorOutput: Callable[[bytes], None],
        onFinished: Callable[[int], None],
    ) -> None:
        """Start ``python -m SuperResolutionLib ARGUMENTS``.

        Args:
            onOutput, onErrorOutput: get the bytes of the two pipes as they come, cut anywhere.
            onFinished: gets the exit code once all output has been passed on; -1 where nothing could be started.
        """

    def write(self, data: bytes) -> None:
        """Give the process bytes on its standard input. Nothing happens where it has ended."""

    def kill(self) -> None:
        """Kill the process and every process below it, and wait for its end. No callback comes afterwards."""
