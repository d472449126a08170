"""How well the fusion of two real scans predicts a third one that it never saw.

    python -m Testing.benchmark.fusion_real SCAN SCAN SCAN [--side MM] [--out DIR]

For each two of the three scans: they are fused, the result is averaged to the slices of the third (which is placed on
each method's result by the same registration), and both are compared within what all three show, after a smooth gain.
The same is done with the answer of each scan alone, by the network for new slices and by cubic B-spline, and with the
mean of both B-splines. Scans that do not look alike are fused all the same (--force). Prints a table, and writes
table.md, records.json and the volumes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.evaluation.metrics import psnr
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.fusion.fuse import fuse
from SuperResolutionLib.fusion.measuring import MARGIN, Measuring, Sampling, reach_of
from SuperResolutionLib.fusion.placing import place
from SuperResolutionLib.fusion.request import FuseRequest
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.resampling import resample_to_spacing
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

from .on_grid import on_grid
from .smooth_gain import with_fitted_gain

FOREGROUND = 0.1
INSIDE = 2
"""Voxels from the faces of a result's box, nearer than which the third scan does not count."""


def middle_part(volume: Volume, centre: np.ndarray, side: float) -> Volume:
    """Return the voxels of a scan within ``side`` / 2 mm of ``centre`` (RAS) along the axes of its slices."""
    index = np.linalg.solve(volume.ijk_to_ras, [*centre, 1.0])[:3]
    half = side / 2 / np.array(volume.spacing)
    first = np.maximum(0, np.floor(index - half)).astype(int)
    last = np.minimum(volume.dimensions, np.ceil(index + half)).astype(int)
    first[2], last[2] = 0, volume.dimensions[2]
    return volume.cropped(tuple(first.tolist()), tuple(last.tolist()))


def score(result: Volume, third: Volume) -> tuple[float, float]:
    """Return PSNR (dB) and correlation of what ``result`` predicts of ``third`` with ``third``."""
    placed = place([result, third], force=True)[1].placed(third)
    sampling = Sampling(Grid.of(placed), 2, third.spacing[2], third.spacing)
    margin = MARGIN + reach_of(Grid.of(result), sampling)
    matrix = result.ijk_to_ras.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ np.full(3, float(margin))
    fine = Grid(matrix, tuple(size + 2 * margin for size in result.dimensions))
    padded = np.pad(result.voxels.astype(np.float32), margin, mode="edge")
    predicted = Measuring(fine, sampling)(torch.from_numpy(padded)).numpy()
    to_result = np.linalg.solve(result.ijk_to_ras, placed.ijk_to_ras)
    k, j, i = np.indices(third.voxels.shape, dtype=float)
    mask = third.voxels > FOREGROUND * IntensityScale.of(third.voxels).span
    for row, size in zip(to_result, result.dimensions):
        at = row[0] * i + row[1] * j + row[2] * k + row[3]
        mask &= (at >= INSIDE) & (at <= size - 1 - INSIDE)
    truth = third.voxels.astype(np.float32)
    fitted = with_fitted_gain(np.maximum(predicted, 0), truth, mask)
    span = IntensityScale.of(truth[mask]).span
    return psnr(fitted, truth, span, mask), float(np.corrcoef(fitted[mask], truth[mask])[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs=3)
    parser.add_argument("--side", type=float, default=110.0, help="mm of the slices about the scans' middle")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    whole = [replace(read_volume(name), slice_axis=2) for name in options.scans]
    middles = [v.ijk_to_ras[:3] @ [*((n - 1) / 2 for n in v.dimensions), 1.0] for v in whole]
    scans = [middle_part(volume, np.mean(middles, axis=0), options.side) for volume in whole]
    names = [Path(name).name.split(".")[0] for name in options.scans]
    records = []
    isotropic = UpscaleRequest(factor=None, isotropic=True, output_type="float")
    answers = [upscale(volume, isotropic).volume for volume in scans]
    splines = [resample_to_spacing(volume, (min(volume.spacing),) * 3) for volume in scans]
    for left_out in range(3):
        first, second = (number for number in range(3) if number != left_out)
        fused = fuse([scans[first], scans[second]], FuseRequest(extent="common", output_type="float", force=True))
        movement = place([scans[first], scans[second]], force=True)[1]
        grid = Grid.of(fused.volume)

        def on_fused(volume: Volume, grid: Grid = grid) -> Volume:
            return Volume(on_grid(volume, grid), grid.ijk_to_ras, "MR")

        two = {
            f"network, {names[first]}": on_fused(answers[first]),
            f"network, {names[second]}": on_fused(movement.placed(answers[second])),
            f"B-spline, {names[first]}": on_fused(splines[first]),
            f"B-spline, {names[second]}": on_fused(movement.placed(splines[second])),
        }
        both = [two[f"B-spline, {names[number]}"].voxels for number in (first, second)]
        levels = [IntensityScale.of(image).span for image in both]
        two["mean of both B-splines"] = Volume(both[0] + both[1] * levels[0] / levels[1], grid.ijk_to_ras, "MR")
        two["fused"] = fused.volume
        for method, volume in two.items():
            db, correlation = score(volume, scans[left_out])
            records.append({"predicted": names[left_out], "method": method, "psnr": db, "correlation": correlation})
            print(f"{names[left_out]:24} {method:36} {db:6.2f} dB {correlation:.4f}", flush=True)
        print(*fused.report["decisions"], sep="\n", flush=True)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            write_volume(fused.volume, options.out / f"fused_without_{names[left_out]}.nrrd")
    if options.out:
        (options.out / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
