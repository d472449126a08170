"""What became of the volumes of a cohort, for people and for a spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ..files.whole_outputs import write_text
from ..upscaling.report import model_names, residual_percent

SUMMARY = "summary.csv"
COLUMNS = ("state", "input", "output", "model", "size", "spacing_mm", "seconds", "residual_percent", "message")


@dataclass(frozen=True)
class Outcome:
    """How one volume ended.

    Attributes:
        name: the volume's path below the input folder.
        output: where its result is, or would be.
        state: ``done``, ``skipped`` (its result was there already, or as ``message`` says), ``failed``, ``cancelled``.
        message: one sentence that says why it failed or was skipped.
        trace: the traceback, where the failure is a fault of ours.
        report: of ``upscale``, where there is a result.
    """

    name: str
    output: str
    state: str
    message: str = ""
    trace: str = ""
    report: dict | None = None

    def row(self) -> dict[str, str]:
        """Return the outcome as words by ``COLUMNS``; the message of a result is what its report warns of."""
        row = dict.fromkeys(COLUMNS, "")
        row.update(state=self.state, input=self.name, message=self.message)
        if self.report:
            residual = residual_percent(self.report)
            row.update(
                output=self.output,
                model=model_names(self.report),
                size="x".join(map(str, self.report["output"]["dimensions_ijk"])),
                spacing_mm="x".join(f"{value:.4g}" for value in self.report["output"]["spacing_mm_ijk"]),
                seconds=f"{self.report['seconds']:.1f}",
                residual_percent="" if residual is None else f"{residual:.3f}",
                message=self.message or " ".join(self.report["warnings"]),
            )
        return row


def format_summary(outcomes: list[Outcome]) -> str:
    """Return a table in plain text, a line a volume, and a last line that counts the states."""
    columns = ("state", "input", "size", "seconds", "message")
    rows = [dict(zip(columns, columns)), *(outcome.row() for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in columns]
    lines = ["  ".join(row[c].ljust(width) for c, width in zip(columns, widths)).rstrip() for row in rows]
    states = [outcome.state for outcome in outcomes]
    counts = [f"{states.count(s)} {s}" for s in ("done", "skipped", "failed", "cancelled") if s in states]
    return "\n".join([*lines, f"{len(outcomes)} volumes: {', '.join(counts)}"])


def write_summary(outcomes: list[Outcome], path: Path) -> None:
    """Write all ``COLUMNS`` as CSV; the file is whole or absent."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(outcome.row() for outcome in outcomes)
    write_text(path, text.getvalue())
