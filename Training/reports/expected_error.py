"""How true the expected error is, on scans that neither trained nor calibrated: coverage, rank correlation, a diagram.

    python -m Training.reports.expected_error SCAN... --model mri-x4-compact --out FOLDER

Writes records.json (a line for each scan and degradation), table.md, and reliability.png: the share of the voxels that
lie within the intervals, against the share that is said to.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.models.bundles import Model, find_model
from SuperResolutionLib.models.error_calibration import ONE_SD
from Training.reports.error_samples import BETWEEN, IN_PLANE, ErrorSample, sample_of

PERCENTS = ("50", "80", "95")


def record_of(sample: ErrorSample) -> dict:
    """Return what a sample shows: coverage in per cent, the rank correlations, the mean errors, all JSON-able."""
    within = {**sample.within, f"{ONE_SD:g}": 1.0}
    return {
        "scan": sample.scan,
        "degradation": sample.degradation,
        "noise_percent": round(100 * sample.noise, 2),
        "covered": {percent: round(100 * sample.covered(multiple), 1) for percent, multiple in within.items()},
        "covered_by_tenths": _covered_by_tenths(sample),
        "rank_correlation": round(sample.rank_correlation, 3),
        "local_rank_correlation": round(sample.local_rank_correlation, 3),
        "mean_error_percent": round(100 * float(sample.error.mean()), 3),
        "rms_error_percent": round(100 * float(np.sqrt(np.square(sample.error).mean())), 3),
        "mean_expected_percent": round(100 * float(sample.expected.mean()), 3),
    }


def _covered_by_tenths(sample: ErrorSample) -> list[float]:
    """Return the per cent of voxels within 1 SD, of the tenth with the smallest expected errors, the next, ..."""
    edges = np.quantile(sample.expected, np.linspace(0, 1, 11))
    parts = np.searchsorted(edges[1:-1], sample.expected)
    within = sample.error <= sample.expected
    return [round(100 * float(within[parts == part].mean()), 1) for part in range(10) if (parts == part).any()]


def table_of(records: list[dict]) -> str:
    """Return a Markdown table: a row for each degradation, of the means over the scans and of the worst scan."""
    lines = [
        "| degradation | 50 % | 80 % | 95 % | worst scan at 95 % | rank correlation | of local means |"
        " mean error | 1 SD expected |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for degradation in dict.fromkeys(record["degradation"] for record in records):
        rows = [record for record in records if record["degradation"] == degradation]
        covered = [np.mean([row["covered"][percent] for row in rows]) for percent in PERCENTS]
        worst = min(rows, key=lambda row: row["covered"]["95"])
        means = [
            np.mean([row[key] for row in rows])
            for key in ("rank_correlation", "local_rank_correlation", "mean_error_percent", "mean_expected_percent")
        ]
        lines.append(
            f"| {degradation} | {covered[0]:.1f} | {covered[1]:.1f} | {covered[2]:.1f} |"
            f" {worst['covered']['95']:.1f} ({worst['scan'].split('.')[0]}) | {means[0]:.2f} | {means[1]:.2f} |"
            f" {means[2]:.2f} % | {means[3]:.2f} % |"
        )
    return "\n".join(lines) + "\n"


def draw_reliability(records: list[dict], path: Path) -> None:
    """Draw the shares of voxels within the intervals against those that are said to be: a line for each scan, means."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], color="#888888", linewidth=1, linestyle="--", label="as it should be")
    said = sorted((float(percent), percent) for percent in records[0]["covered"])
    for record in records:
        axes.plot(
            [0, *(number for number, _ in said), 100],
            [0, *(record["covered"][percent] for _, percent in said), 100],
            color="#1f7fd6",
            alpha=0.12,
            linewidth=1,
        )
    means = [np.mean([record["covered"][percent] for record in records]) for _, percent in said]
    axes.plot([number for number, _ in said], means, "o", color="#e0641f", label="mean over scans and degradations")
    axes.set(xlabel="voxels said to lie within, %", ylabel="voxels that lie within, %", xlim=(0, 100), ylim=(0, 100))
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path)


def records_of(
    scans: list[Path], model: Model, detail: float, degradations: list[str], slices: int, inverted: bool
) -> Iterator[dict]:
    """Yield the records, one scan after the other; a scan that cannot be made so coarse is left out."""
    for scan in scans:
        for degradation in degradations:
            try:
                yield record_of(sample_of(scan, model, degradation, detail, slices, inverted))
            except InputError as error:
                print(f"{scan.name}, {degradation}: {error}")


def main() -> None:
    """Parse the command line, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", type=Path, help="whose slices are truly sharp")
    parser.add_argument("--model", required=True, help="an installed model's name, or a model folder")
    parser.add_argument("--detail", type=float, default=0.0)
    parser.add_argument("--degradations", nargs="+", help="some of them")
    parser.add_argument("--slices", type=int, default=10, help="of each scan, where the slice plane is refined")
    parser.add_argument("--inverted", action="store_true", help="turn the contrast upside down: one never seen")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = find_model(options.model)
    degradations = options.degradations or list(BETWEEN if model.through_slices else IN_PLANE)
    records = []
    for record in records_of(options.scans, model, options.detail, degradations, options.slices, options.inverted):
        print(json.dumps(record), flush=True)
        records.append(record)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    (options.out / "table.md").write_text(table_of(records), encoding="utf-8")
    draw_reliability(records, options.out / "reliability.png")
    print(table_of(records))


if __name__ == "__main__":
    main()
