"""An evaluation in numbers: the means over volumes, and the table of them for a terminal or a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .methods import METHOD_LABELS

COLUMNS = (
    ("PSNR", "psnr_foreground", ".2f"),
    ("SSIM", "ssim_foreground", ".4f"),
    ("MS-SSIM", "ms_ssim_foreground", ".4f"),
    ("GMS", "gms_foreground", ".4f"),
    ("gain", "gain", "+.2f"),
    ("PSNR all", "psnr", ".2f"),
    ("SSIM all", "ssim", ".4f"),
    ("MS-SSIM all", "ms_ssim", ".4f"),
    ("FRC", "frc_cutoff", ".2f"),
    ("FRC ratio", "frc_ratio", ".2f"),
    ("noise", "noise_ratio", ".2f"),
)


def summarise(records: Sequence[Mapping]) -> list[dict]:
    """Return the means over volumes: one dictionary per degradation and method, in the order of ``records``.

    Besides the means of all metrics it has "gain" (dB over B-spline, foreground), "frc_ratio" (cut-off as a multiple of
    B-spline's on the same scan, the mean of the ratios), "volumes" and "below_bspline", how many volumes have a gain
    below 0.
    """
    reference = {
        (record["volume"], record["degradation"]): record for record in records if record["method"] == "bspline"
    }
    groups: dict[tuple[str, str], list[Mapping]] = {}
    for record in records:
        groups.setdefault((record["degradation"], record["method"]), []).append(record)
    summary = []
    for (degradation, method), members in groups.items():
        pairs = [(record, reference[record["volume"], degradation]) for record in members]
        gains = [_gain(record, baseline) for record, baseline in pairs]
        ratios = [r["frc_cutoff"] / b["frc_cutoff"] if b["frc_cutoff"] else float("nan") for r, b in pairs]
        summary.append(
            {
                "degradation": degradation,
                "method": method,
                "volumes": len(members),
                **{key: _mean(members, key) for _, key, _ in COLUMNS if any(key in record for record in members)},
                "gain": float(np.mean(gains)),
                "frc_ratio": float(np.mean(ratios)),
                "below_bspline": sum(gain < 0 for gain in gains),
            }
        )
    return summary


def _mean(records: Sequence[Mapping], key: str) -> float:
    return float(np.mean([record[key] for record in records if key in record]))


def _gain(record: Mapping, baseline: Mapping) -> float:
    return record["psnr_foreground"] - baseline["psnr_foreground"] if record is not baseline else 0.0


def format_table(records: Sequence[Mapping], style: str = "text") -> str:
    """Return the report of an evaluation: means per degradation and method, then every volume's gain over B-spline.

    Args:
        records: those of one ``Evaluation``.
        style: "text" for a terminal, "markdown" for a page.
    """
    lines = []
    for degradation, rows in _by_degradation(summarise(records)).items():
        count = rows[0]["volumes"]
        lines += _heading(f"x{records[0]['factor']}, {degradation}: mean of {count} volume{'s'[: count > 1]}", style)
        cells = [
            [METHOD_LABELS[row["method"]], *(f"{row[key]:{form}}" if key in row else "-" for _, key, form in COLUMNS)]
            for row in rows
        ]
        lines += [*_rendered([["Method", *(title for title, _, _ in COLUMNS)], *cells], style), ""]
    judged = [method for method in ("back-projection", "ours") if any(r["method"] == method for r in records)]
    for method in judged:
        lines += _heading(f"{METHOD_LABELS[method]}: gain over B-spline in dB", style)
        lines += [*_rendered(_gain_rows(records, method), style), ""]
    for row in summarise(records):
        if row["method"] == judged[-1]:
            lines.append(
                f"{row['degradation']}: {METHOD_LABELS[row['method']]} is below B-spline on {row['below_bspline']} of"
                f" {row['volumes']} volumes." + ("  " if style == "markdown" else "")
            )
    lines += [
        "",
        "PSNR (dB), SSIM and MS-SSIM are over the foreground; all: over the whole slices; gain: PSNR over B-spline's.",
        "FRC: up to which frequency the result is right, as a multiple of the input's Nyquist frequency; FRC ratio:",
        "as a multiple of B-spline's. GMS: gradient-magnitude similarity. Noise: the background's SD as a multiple of",
        "the input's. Back-projection is told how the image was degraded, and the Gaussian is the best of eight by the",
        "truth itself; ours is told nothing.",
    ]
    return "\n".join(lines)


def _by_degradation(summary: Sequence[dict]) -> dict[str, list[dict]]:
    return {name: [row for row in summary if row["degradation"] == name] for name in _names(summary, "degradation")}


def _names(records: Sequence[Mapping], key: str) -> list[str]:
    return list(dict.fromkeys(record[key] for record in records))


def _heading(text: str, style: str) -> list[str]:
    return [f"### {text}", ""] if style == "markdown" else [text]


def _gain_rows(records: Sequence[Mapping], method: str) -> list[list[str]]:
    found = {(r["volume"], r["degradation"], r["method"]): r for r in records}
    degradations = _names(records, "degradation")
    rows = [["Volume", *degradations]]
    for volume in _names(records, "volume"):
        pairs = [(found[volume, name, method], found[volume, name, "bspline"]) for name in degradations]
        rows.append([volume, *(f"{_gain(record, baseline):+.2f}" for record, baseline in pairs)])
    return rows


def _rendered(rows: Sequence[list[str]], style: str) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))] for row in rows
    ]
    if style != "markdown":
        return ["  ".join(row) for row in padded]
    rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return ["| " + " | ".join(row) + " |" for row in [padded[0], rule, *padded[1:]]]
