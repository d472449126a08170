"""How well new slices are made: isotropic scans made thick along each sharp axis, and refined again.

    python -m Testing.benchmark.through_plane SCAN[=AXES]... [--profile NAME] [--noise SHARE] [--bands PERCENT]
        [--level] [--adapt] [--out DIR]

Each scan is averaged along each of AXES (ijk by default) with a slice profile (Gaussian by default), rounded to its
scalar type, and given to the whole program; cubic B-spline interpolation is what it is compared with. Prints a table,
and writes it as table.md and every measurement as records.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.acquisition.noise import STANDARD_KERNEL_F50, add_rician_noise
from SuperResolutionLib.acquisition.slice_profile import PROFILES, slice_profile_weights
from SuperResolutionLib.evaluation.metrics import (
    foreground,
    fourier_row_correlation,
    frc_cutoff,
    psnr,
    similarity_maps,
    ssim,
)
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale, as_scalar_type
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.geometry.volume import Volume, refined_matrix
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale
from Training.degradation.ct import RandQuantumNoised

ACQUISITIONS = {"3 px": (3, 1.0), "4 px": (4, 1.0), "5 px, 4 thick": (5, 0.8), "6 px": (6, 1.0)}
"""Distance of the slices in voxels, and their thickness as a share of it."""


def thick_volume(
    volume: Volume, axis: int, spacing: int, thickness: float, profile: str, noise: float = 0.0, bands: float = 0.0
) -> tuple[Volume, Volume]:
    """Return ``(thick, truth)``: slices averaged along ``axis``, with noise, and what of ``volume`` they cover.

    ``noise`` is a share of the robust range of ``volume``: of Rician noise, or in CT, which has values below zero, of
    noise that is Gaussian and has the grain of a standard kernel. Every second slice is brighter by ``bands``, a share.
    """
    last = list(volume.dimensions)
    last[axis] -= last[axis] % spacing
    truth = volume.cropped((0, 0, 0), tuple(last))
    weights = slice_profile_weights(last[axis], spacing, thickness * spacing, profile).float().numpy()
    slices = np.tensordot(weights, np.moveaxis(truth.voxels, 2 - axis, 0).astype(np.float32), 1)
    slices[1::2] *= 1 + bands
    if noise:
        sigma = noise * IntensityScale.of(volume.voxels).span
        if volume.voxels.min() < 0:
            quantum = RandQuantumNoised("slice", sigma=(sigma, sigma), f50=(STANDARD_KERNEL_F50,) * 2, prob=1.0)
            quantum.set_random_state(0)
            slices = np.stack([quantum({"slice": torch.from_numpy(part)[None]})["slice"][0].numpy() for part in slices])
        else:
            slices = add_rician_noise(torch.from_numpy(slices), sigma, torch.Generator().manual_seed(0)).numpy()
    voxels = np.moveaxis(as_scalar_type(slices, volume.voxels.dtype), 0, 2 - axis)
    factors = tuple(1 / spacing if a == axis else 1.0 for a in range(3))
    matrix = refined_matrix(truth.ijk_to_ras, factors)
    return Volume(voxels, matrix, volume.modality, thickness * spacing * volume.spacing[axis]), truth


def measurements(volume: Volume, axes: str, options: argparse.Namespace) -> Iterator[dict]:
    """Yield a record for each axis, acquisition and method."""
    scale = IntensityScale.of(volume.voxels)
    for axis in ("ijk".index(name) for name in axes):
        for name, (spacing, thickness) in ACQUISITIONS.items():
            if options.only and name not in options.only:
                continue
            thick, truth = thick_volume(
                volume, axis, spacing, thickness, options.profile, options.noise, options.bands / 100
            )
            factors = tuple(spacing if a == axis else 1 for a in range(3))
            request = UpscaleRequest(
                factor=factors,
                model=options.model,
                quality=options.quality,
                adapt=options.adapt,
                consistency=options.hold,
                level=options.level,
            )
            ours = upscale(thick, request)
            results = {"bspline": interpolate(thick, factors), "ours": ours.volume}
            true = _reformats(truth, axis)
            mask = foreground(scale.normalise(true))
            for method, result in results.items():
                images = _reformats(result, axis).astype(np.float32)
                frequencies, correlations = fourier_row_correlation(images, true, spacing)
                yield {
                    "axis": "ijk"[axis],
                    "acquisition": name,
                    "method": method,
                    "psnr": psnr(images, true, scale.span, mask),
                    "ssim": ssim(similarity_maps(images - scale.low, true - scale.low, scale.span), mask),
                    "frc": 2 * frc_cutoff(frequencies, correlations),
                    "bands_percent": 100 * band_strength(result, truth, axis, spacing),
                    "seconds": ours.report["seconds"],
                    "residual": ours.report["steps"][-1]["consistency"]["residual_percent"],
                }


def band_strength(result: Volume, truth: Volume, axis: int, spacing: int) -> float:
    """Return by which share every second slice of ``result`` is brighter than the others, against ``truth``."""
    sums, true = (
        np.moveaxis(volume.voxels, 2 - axis, 0).sum(axis=(1, 2), dtype=np.float64) for volume in (result, truth)
    )
    share = (sums / np.maximum(true, 1)).reshape(-1, spacing)
    middles = share[:, (spacing - 1) // 2 : spacing // 2 + 1].mean(axis=1)
    return float(np.median(middles[1::2]) / np.median(middles[::2]) - 1)


def _reformats(volume: Volume, axis: int) -> np.ndarray:
    """Return every second cut along the slice axis as ``(N, rows, columns)``."""
    cut = 1 if axis != 1 else 2
    order = (2 - cut, 2 - axis, 2 - (3 - axis - cut))
    return volume.voxels.transpose(order)[::2]


def table(records: list[dict]) -> str:
    """Return the means over scans and axes as Markdown, with the gains over B-spline."""
    lines = [
        "| slices | B-spline: PSNR, SSIM, FRC | ours | gain, dB | lowest gain | SSIM | FRC ratio | bands: both |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for name in dict.fromkeys(record["acquisition"] for record in records):
        chosen = [record for record in records if record["acquisition"] == name]
        base, ours = ([r for r in chosen if r["method"] == method] for method in ("bspline", "ours"))
        means = [{key: np.mean([r[key] for r in part]) for key in ("psnr", "ssim", "frc")} for part in (base, ours)]
        texts = [f"{m['psnr']:.2f} dB, {m['ssim']:.3f}, {m['frc']:.2f}" for m in means]
        gains = [b["psnr"] - a["psnr"] for a, b in zip(base, ours)]
        ratio = np.mean([b["frc"] / a["frc"] for a, b in zip(base, ours)])
        bands = ", ".join(f"{np.mean([r['bands_percent'] for r in part]):.1f}" for part in (base, ours))
        lines.append(
            f"| {name} | {texts[0]} | {texts[1]} | {np.mean(gains):+.2f} | {min(gains):+.2f}"
            f" | {means[1]['ssim'] - means[0]['ssim']:+.3f} | {ratio:.2f} | {bands} % |"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", metavar="SCAN[=AXES]")
    parser.add_argument("--model", help="a model folder")
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--profile", default="gaussian", choices=tuple(PROFILES))
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        help="Rician (in CT: of a kernel's grain), a share of the robust range, such as 0.02",
    )
    parser.add_argument("--bands", type=float, default=0.0, metavar="PERCENT", help="every second slice is brighter")
    parser.add_argument("--level", action="store_true", help="take the bands out")
    parser.add_argument("--adapt", action="store_true")
    parser.add_argument("--no-consistency", dest="hold", action="store_false")
    parser.add_argument("--only", action="append", choices=tuple(ACQUISITIONS))
    parser.add_argument("--middle", type=int, metavar="N", help="only the middle N voxels along i and j, to be quick")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    records = []
    for scan in options.scans:
        path, _, axes = scan.partition("=")
        volume = read_volume(path)
        if options.middle:
            first = [max(0, (size - options.middle) // 2) if a < 2 else 0 for a, size in enumerate(volume.dimensions)]
            last = [size - low for low, size in zip(first, volume.dimensions)]
            volume = volume.cropped(tuple(first), tuple(last))
        for record in measurements(volume, axes or "ijk", options):
            records.append({"scan": Path(path).name, **record})
            print(json.dumps(records[-1]), flush=True)
    print(table(records))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "table.md").write_text(table(records) + "\n", encoding="utf-8")
        (options.out / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
