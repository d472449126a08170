from __future__ import annotations

import time
from typing import Any, Callable

from .UpscaleOutcome import UpscaleOutcome


class NewestJob:
    """One job in flight at a time; of what is asked for meanwhile only the newest waits, the rest is dropped.

    Args:
        newJob: called as ``newJob(onProgress, onFinished)``, returns what is used as an ``UpscaleJob``.
    """

    def __init__(self, newJob: Callable[..., Any]):
        self._newJob = newJob
        self._job = None
        self._waiting: tuple | None = None

    def ask(self, volume, options, onAnswer: Callable[[UpscaleOutcome, float], None], companions=()) -> None:
        """Upscale a volume as soon as nothing is in flight, unless something newer is asked for until then.

        Args:
            options: command-line options of ``upscale``.
            onAnswer: gets the outcome and how many seconds it took.
            companions: each ``Companion`` that is wanted beside the result.
        """
        self._waiting = (volume, options, onAnswer, companions)
        self._startNext()

    def dropWaiting(self) -> None:
        """Forget what waits; what is in flight is still answered."""
        self._waiting = None

    def drop(self) -> None:
        """Forget what waits, and take back what is in flight."""
        self._waiting = None
        if self._job is not None:
            job, self._job = self._job, None
            job.cancel()

    def _startNext(self) -> None:
        if self._job is not None or self._waiting is None:
            return
        (volume, options, onAnswer, companions), self._waiting = self._waiting, None
        began = time.monotonic()

        def finish(outcome: UpscaleOutcome) -> None:
            self._job = None
            try:
                onAnswer(outcome, time.monotonic() - began)
            finally:
                self._startNext()

        self._job = self._newJob(lambda *step: None, finish)
        self._job.start(volume, options, companions)
