from __future__ import annotations

from typing import Any, Callable

from .UpscaleOutcome import UpscaleOutcome


class WarmJob:
    """One run of a ``WarmWorker`` on one volume, used as an ``UpscaleJob`` is.

    Args:
        worker: has ``submit(job)`` and ``withdraw(job)``.
        onProgress: called as ``onProgress(done, total, message)``.
        onFinished: called once, unless the job is cancelled; perhaps before ``start`` returns.

    Attributes:
        volume, options, companions: what ``start`` was given; the volume until the job has ended.
    """

    def __init__(
        self,
        worker: Any,
        onProgress: Callable[[int, int, str], None],
        onFinished: Callable[[UpscaleOutcome], None],
    ):
        self._worker = worker
        self._onProgress = onProgress
        self._onFinished = onFinished
        self._isCancelled = False

    def start(self, volume, options, companions=()) -> None:
        """Ask the worker.

        Args:
            volume: the same object as before where it is the same scan, which the worker then has already.
            options: command-line options of ``upscale``, such as ``["--factor", "4"]``.
            companions: each ``Companion`` that is wanted beside the result.
        """
        self.volume, self.options, self.companions = volume, list(options), tuple(companions)
        self._worker.submit(self)

    def cancel(self) -> None:
        """Take it back: ``onFinished`` is not called. The worker itself goes on."""
        if not self._isCancelled:
            self._isCancelled = True
            self._worker.withdraw(self)

    def onProgress(self, done: int, total: int, message: str) -> None:
        if not self._isCancelled:
            self._onProgress(done, total, message)

    def finish(self, outcome: UpscaleOutcome) -> None:
        self.volume = None
        if not self._isCancelled:
            self._isCancelled = True
            self._onFinished(outcome)
