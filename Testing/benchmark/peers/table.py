"""The table of a comparison: for each degradation a row a method, means over the scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

COLUMNS = (
    ("PSNR", "psnr_foreground", ".2f"),
    ("SSIM", "ssim_foreground", ".3f"),
    ("GMS", "gms_foreground", ".3f"),
    ("FRC", "frc_cutoff", ".2f"),
    ("edges", "edges", ".2f"),
    ("core-s a slice", "seconds", ".2f"),
)


def markdown_table(records: Sequence[Mapping], reference: str) -> str:
    """Return the table as Markdown.

    Args:
        records: one per "volume", "degradation" and "method", with the keys of ``COLUMNS``.
        reference: the method over which a gain is counted, scan by scan.
    """
    lines = []
    for degradation in _names(records, "degradation"):
        chosen = [record for record in records if record["degradation"] == degradation]
        count = len(_names(chosen, "volume"))
        titles = ["Method", "gain, dB", "worst to best scan", *(title for title, _, _ in COLUMNS)]
        lines += [f"### x4, {degradation}: mean of {count} volume{'s'[: count > 1]}", "", _row(titles)]
        lines.append(_row(["---", *["---:"] * (len(titles) - 1)]))
        base = {record["volume"]: record["psnr_foreground"] for record in chosen if record["method"] == reference}
        for method in _names(chosen, "method"):
            own = [record for record in chosen if record["method"] == method]
            gains = [record["psnr_foreground"] - base[record["volume"]] for record in own]
            means = (format(np.mean([record[key] for record in own]), form) for _, key, form in COLUMNS)
            lines.append(_row([method, f"{np.mean(gains):+.2f}", f"{min(gains):+.2f} to {max(gains):+.2f}", *means]))
        lines.append("")
    return "\n".join(lines)


def _names(records: Sequence[Mapping], key: str) -> list[str]:
    return list(dict.fromkeys(record[key] for record in records))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
