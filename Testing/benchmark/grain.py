"""What the grain that is added back does: to lines in flat tissue, and to the scores of held-out scans.

    python -m Testing.benchmark.grain [SCAN ...] [--quality standard] [--slices 3] [--threads 1]

First the coherence in the flat tissue of a noisy head (``line_coherence``), then for the scans, made coarse by a known
operator, PSNR and SSIM against no grain and the residual: by how much the result made coarse again misses the input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.acquisition.operators import area_average
from SuperResolutionLib.evaluation.lines import line_coherence
from SuperResolutionLib.evaluation.metrics import foreground, score
from SuperResolutionLib.evaluation.truths import choose_slices, degrade
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale
from Testing.benchmark.head_phantom import head, noisy_head

GRAINS = (0.0, None, 0.25, 0.5, 1.0)
NOISES = (2, 4, 6)
DEGRADATIONS = ("area", "bicubic", "kspace", "kspace-noise", "kspace-noise5")


def coherences(quality: str) -> dict[str, list[float]]:
    """Return the coherence of interpolation and of each grain, for white and zero-filled noise at x2 and x4."""
    flat = head()[1]
    found: dict[str, list[float]] = {}
    for factor in (2, 4):
        for zero_filled in (False, True):
            for percent in NOISES:
                scan = noisy_head(percent, zero_filled)
                results = {"B-spline": interpolate(scan, (factor, factor, 1))}
                for grain in GRAINS:
                    request = UpscaleRequest(factor=factor, quality=quality, grain=grain, output_type="float")
                    results[_name(grain)] = upscale(scan, request).volume
                fine = flat.repeat(factor, 1).repeat(factor, 2)
                for name, result in results.items():
                    acquired = factor * (2 if zero_filled else 1)
                    found.setdefault(name, []).append(line_coherence(result.voxels, fine, acquired))
    return found


def scores(path: Path, factor: int, degradation: str, quality: str, slices: int) -> dict[str, tuple[float, ...]]:
    """Return PSNR, SSIM and residual (% of the robust range) of each grain for a scan."""
    truth = choose_slices(read_volume(path), factor, most=slices)
    mask = foreground(truth.scale.normalise(truth.slices_of(truth.volume)))
    coarse = degrade(truth, degradation)
    found = {}
    for grain in GRAINS:
        request = UpscaleRequest(factor=truth.factors, quality=quality, grain=grain, as_stored=True)
        result = truth.slices_of(truth.chosen(upscale(coarse, request).volume)).astype(np.float32)
        values = score(result, truth.slices_of(truth.volume), truth.scale.span, mask, factor, truth.scale.low)
        again = area_average(torch.from_numpy(result)[:, None], factor)[:, 0].numpy()
        residual = np.sqrt(np.mean((again - truth.slices_of(truth.chosen(coarse))) ** 2)) / truth.scale.span
        found[_name(grain)] = (values["psnr_foreground"], values["ssim_foreground"], 100 * residual)
    return found


def _name(grain: float | None) -> str:
    return "default" if grain is None else f"{grain:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs="*", type=Path)
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| grain | coherence: mean, lowest to highest |\n| --- | --- |")
    for name, values in coherences(options.quality).items():
        print(f"| {name} | {np.mean(values):.2f}, {min(values):.2f} to {max(values):.2f} |")
    for factor in (4, 2) if options.scans else ():
        print(f"\n| x{factor}, grain | {' | '.join(DEGRADATIONS)} |\n| --- |{' --- |' * len(DEGRADATIONS)}")
        rows: dict[str, list[str]] = {}
        for degradation in DEGRADATIONS:
            table = [scores(path, factor, degradation, options.quality, options.slices) for path in options.scans]
            for name in table[0]:
                change = np.array([np.subtract(found[name], found["0"])[:2] for found in table])
                residual = np.mean([found[name][2] for found in table])
                psnr, ssim = change.T
                text = f"{psnr.mean():+.2f} dB ({psnr.min():+.2f}), {ssim.mean():+.4f}, {residual:.2f} %"
                rows.setdefault(name, []).append(text)
        for name, texts in rows.items():
            print(f"| {name} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
