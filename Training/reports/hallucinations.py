"""The share of patches in which a result shows what is not there (sFRC), against that of interpolation.

    python -m Training.reports.hallucinations HELD-OUT... --model mri-x4-compact --out FOLDER

Sharp slices are made coarse, with and without noise, and upscaled by B-spline and by the whole program with the
fidelity and, where the model has them, the perceptual weights. Writes ``records.json``, a line for each scan,
degradation and method, and ``table.md``. See ``SuperResolutionLib.evaluation.hallucinations`` for the test.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from SuperResolutionLib.evaluation.hallucinations import MEASURED, PUBLISHED, SIDE, patch_cutoffs
from SuperResolutionLib.evaluation.metrics import foreground
from SuperResolutionLib.evaluation.scored_slices import upscale_every
from SuperResolutionLib.evaluation.truths import DEGRADATIONS, choose_slices, degrade, truth_for
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.models.bundles import Model, find_model
from SuperResolutionLib.upscaling.request import UpscaleRequest

LIMITS = (MEASURED, PUBLISHED)


def records_of(
    path: Path, model: Model, degradations: Sequence[str], most_slices: int, plane: str | None = None
) -> Iterator[dict]:
    """Yield a record for each degradation and method: in how many patches of a scan the result is wrong below a limit.

    Args:
        path: a scan whose slices are sharp. plane: theirs, as of ``choose_slices``.
        most_slices: that are looked at, evenly spaced; a network sees those beside them, too.

    Raises:
        InputError: the scan or the model cannot be used.
    """
    sharp = choose_slices(read_volume(path), model.factor, plane, most_slices)
    mask = foreground(sharp.scale.normalise(sharp.slices_of(sharp.volume)))
    for degradation in degradations:
        truth = truth_for(sharp, degradation)
        coarse = degrade(truth, degradation)
        results = {"B-spline": interpolate(truth.chosen(coarse), truth.factors, "bspline")}
        for name, detail in (("fidelity", 0.0), ("perceptual", 1.0))[: 2 if model.has_detail else 1]:
            request = UpscaleRequest(model=model, factor=truth.factors, detail=detail)
            results[name] = upscale_every(coarse, truth.step, request)
        true = truth.slices_of(truth.volume)
        found = {name: patch_cutoffs(truth.slices_of(part), true, mask, model.factor) for name, part in results.items()}
        for method, cutoffs in found.items():
            yield {
                "scan": path.name,
                "degradation": degradation,
                "method": method,
                "patches": len(cutoffs),
                "below": {str(limit): int((cutoffs < limit).sum()) for limit in LIMITS},
                "below_bspline": int((cutoffs < found["B-spline"]).sum()),
                "median_cutoff": round(float(np.median(cutoffs)), 3) if len(cutoffs) else None,
            }


def table_of(records: Sequence[dict]) -> str:
    """Return a Markdown table: the share of all patches that are wrong below each limit, the scan with most, the share
    that is less right than B-spline's, and the mean of the scans' median cut-offs."""
    lines = [
        f"| degradation | method | patches | wrong below {MEASURED:g} x Nyquist | worst scan |"
        f" below {PUBLISHED:g} x | worst scan | less right than B-spline | right up to, median |",
        "| --- | --- | ---: | ---: | --- | ---: | --- | ---: | ---: |",
    ]
    for degradation, method in dict.fromkeys((record["degradation"], record["method"]) for record in records):
        rows = [r for r in records if (r["degradation"], r["method"]) == (degradation, method) and r["patches"]]
        patches = sum(row["patches"] for row in rows)
        cells = []
        for limit in map(str, LIMITS):
            worst = max(rows, key=lambda row: row["below"][limit] / row["patches"])
            share = sum(row["below"][limit] for row in rows) / patches
            cells.append(f"{100 * share:.1f} %")
            cells.append(f"{100 * worst['below'][limit] / worst['patches']:.0f} % ({worst['scan'].split('.')[0]})")
        cells.append(f"{100 * sum(row['below_bspline'] for row in rows) / patches:.1f} %")
        median = np.mean([row["median_cutoff"] for row in rows])
        lines.append(f"| {degradation} | {method} | {patches} | {' | '.join(cells)} | {median:.2f} x |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse the command line, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", type=Path, help="whose slices are truly sharp")
    parser.add_argument("--model", required=True, help="an installed model's name, or a model folder")
    parser.add_argument(
        "--degradations", nargs="+", choices=DEGRADATIONS, default=["kspace", "kspace-noise", "kspace-noise5"]
    )
    parser.add_argument("--slices", type=int, default=3, help="of each scan")
    parser.add_argument("--plane", nargs="*", default=[], metavar="NAME=AXES", help="the sharp plane, as of evaluate")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    model = find_model(options.model)
    planes = dict(text.split("=", 1) for text in options.plane)
    records = []
    for scan in options.scans:
        for record in records_of(scan, model, options.degradations, options.slices, planes.get(scan.name)):
            if not record["patches"]:
                print(f"{scan.name}: no patch of {SIDE} x {SIDE} voxels lies in the patient")
            records.append(record)
            print(json.dumps(record), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    (options.out / "table.md").write_text(table_of(records), encoding="utf-8")
    print(table_of(records))


if __name__ == "__main__":
    main()
