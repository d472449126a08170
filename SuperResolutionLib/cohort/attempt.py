"""One result of a cohort: made, or skipped where it is there; a failure is an outcome, not an end."""

from __future__ import annotations

import json
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import Cancelled, InputError
from ..upscaling.report import SCHEMA_VERSION
from .summary import Outcome


@dataclass(frozen=True)
class Attempt(ABC):
    """A result to make, with all that a worker on another machine needs to do it.

    Attributes:
        resume: skip it where it is there from the same input and request. compressed: how files are written.
    """

    resume: bool
    compressed: bool

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in the summary."""

    @property
    @abstractmethod
    def output(self) -> Path:
        """Where the result goes; its report lies beside it."""

    @property
    def left_out(self) -> str:
        """Why it is not made, in one sentence; "" where it is."""
        return ""

    @property
    def companions(self) -> list[Path]:
        """What else is written with the result."""
        return []

    @property
    def report_file(self) -> Path:
        """Where the report goes."""
        return self.output.with_name(self.output.name + ".json")

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of all that decides the result; InputError where the input cannot be read."""

    @abstractmethod
    def make(self, fingerprint: str, progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]) -> dict:
        """Write the result and its report, and return the report."""

    def run(self, progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]) -> Outcome:
        """Make the result, or skip it where it is there; a failure is returned, not raised."""
        if self.left_out:
            return self._outcome("skipped", self.left_out)
        try:
            if cancelled():
                raise Cancelled
            key = self.fingerprint()
            report = self._report_of_the_same_run(key) if self.resume else None
            if report is not None:
                return self._outcome("skipped", report=report)
            try:
                self.output.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"Cannot make the folder {self.output.parent} ({error.strerror}).") from None
            return self._outcome("done", report=self.make(key, progress, cancelled))
        except Cancelled:
            return self.left()
        except InputError as error:
            return self._outcome("failed", str(error))
        except Exception as error:
            return self._outcome("failed", f"{type(error).__name__}: {error}", traceback.format_exc())

    def left(self) -> Outcome:
        """Return the outcome of a task that was cancelled before it ended."""
        return self._outcome("cancelled")

    def lost(self, error: BaseException) -> Outcome:
        """Return the outcome of a task whose worker did not come back."""
        return self._outcome("failed", f"The worker died ({type(error).__name__}); use fewer workers or free memory.")

    def _outcome(self, state: str, message: str = "", trace: str = "", report: dict | None = None) -> Outcome:
        return Outcome(self.name, str(self.output), state, message, trace, report)

    def _report_of_the_same_run(self, key: str) -> dict | None:
        try:
            report: dict = json.loads(self.report_file.read_text(encoding="utf-8"))
            files = report["files"]
            same = (
                report["schema_version"] == SCHEMA_VERSION
                and files["fingerprint"] == key
                and files["output_bytes"] == self.output.stat().st_size
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return report if same and all(path.exists() for path in self.companions) else None
