"""How a command tells its progress and its end: a bar, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..cohort.summary import Outcome


class NoProgress:
    """Says nothing but errors, in one line on standard error."""

    def __call__(self, done: int, total: int, message: str) -> None:
        """Take the progress: ``done`` of ``total`` steps."""

    def result(self, output: str, report: dict) -> None:
        """Take the whole result: where it was written, and the report."""

    def file(self, number: int, total: int, outcome: Outcome) -> None:
        """Take the end of one of a cohort's volumes: ``number`` of ``total``."""
        if outcome.state == "failed":
            print(f"superresolution: {outcome.name}: {outcome.message}\n{outcome.trace}", end="", file=sys.stderr)

    def summary(self, folder: str, outcomes: list[Outcome]) -> None:
        """Take the end of a cohort whose results are in ``folder``."""

    def error(self, kind: str, message: str) -> None:
        """Take the end of a run that gave nothing; ``kind`` is input, cancelled or fault."""
        print(f"superresolution: {message}", file=sys.stderr)


class BarProgress(NoProgress):
    """A tqdm bar with the time left, on standard error; the result in words on standard output."""

    def __init__(self) -> None:
        self._bar: Any = None  # tqdm has no types

    def __call__(self, done: int, total: int, message: str) -> None:
        from tqdm import tqdm

        if self._bar is None or self._bar.total != total:
            self._bar = tqdm(total=total, desc=message, unit="slice", leave=False)
        self._bar.update(done - self._bar.n)
        if done == total:
            self._close()

    def result(self, output: str, report: dict) -> None:
        from ..upscaling.report import consistency_sentence, networks

        size = " x ".join(str(value) for value in report["output"]["dimensions_ijk"])
        spacing = " x ".join(f"{value:.3g}" for value in report["output"]["spacing_mm_ijk"])
        print(f"{output}: {size} voxels of {spacing} mm, {report['seconds']:.1f} s on {report['device_label']}")
        for step in networks(report):
            print(f"model {step['model']}, detail {step['detail']:g}")
        if report["survey"]["acquired"]["zero_filled"]:
            print(report["survey"]["acquired"]["sentence"])
        for step in networks(report):
            print(consistency_sentence(step))
        if report["steps"][-1]["kind"] == "fusion":
            print(*report["decisions"], sep="\n")
        for warning in report["warnings"]:
            print(f"warning: {warning}")

    def file(self, number: int, total: int, outcome: Outcome) -> None:
        self._close()
        super().file(number, total, outcome)

    def summary(self, folder: str, outcomes: list[Outcome]) -> None:
        from ..cohort.summary import format_summary

        self._close()
        print(format_summary(outcomes))

    def error(self, kind: str, message: str) -> None:
        self._close()
        super().error(kind, message)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonProgress(NoProgress):
    """One JSON object a line on standard output: events ``progress``, ``result`` and ``error``.

    A cohort has ``file`` for each volume and ``summary`` at its end instead of ``result``.
    """

    def __call__(self, done: int, total: int, message: str) -> None:
        self._say(event="progress", done=done, total=total, message=message)

    def result(self, output: str, report: dict) -> None:
        self._say(event="result", output=output, report=report)

    def file(self, number: int, total: int, outcome: Outcome) -> None:
        words = {"name": outcome.name, "output": outcome.output, "state": outcome.state, "message": outcome.message}
        self._say(event="file", number=number, total=total, **words, report=outcome.report)
        super().file(number, total, outcome)

    def summary(self, folder: str, outcomes: list[Outcome]) -> None:
        states = [outcome.state for outcome in outcomes]
        self._say(event="summary", output=folder, **{state: states.count(state) for state in sorted(set(states))})

    def error(self, kind: str, message: str) -> None:
        self._say(event="error", kind=kind, message=message)
        super().error(kind, message)

    def _say(self, **event: object) -> None:
        print(json.dumps(event), flush=True)


PROGRESS = {"bar": BarProgress, "json": JsonProgress, "none": NoProgress}
