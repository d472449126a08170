"""How well a hidden kernel and noise are found: sharp scans of some people, a degraded scan of another.

    python -m Training.degradation.learned.validate --data FOLDER --out errors.json

Slices of one person are blurred with a kernel that the estimate does not see, decimated and given Rician noise; the
degradation is learned from them and the sharp scans of the other people. No scan of the hidden person is among them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from SuperResolutionLib.acquisition.noise import add_rician_noise
from Training.degradation.learned.blur_and_noise import LearnedDegradation
from Training.degradation.learned.estimator import learn_degradation
from Training.degradation.learned.kernels import SUPPORT, gaussian_taps
from Training.degradation.learned.slices import read_sharp_slices, read_slices

FWHM_TARGET, NOISE_TARGET = 15, 20  # percent


@dataclass(frozen=True)
class Family:
    """Sharp scans of one contrast and body part, and the scan of another person that is degraded."""

    name: str
    hidden: str
    sharp: tuple[str, ...]


FAMILIES = (
    Family(
        "T1 head, sub-30",
        "t1_ds002748_sub30.nii.gz",
        tuple(f"t1_ds002748_sub{n}.nii.gz" for n in ("01", "10", "26")),
    ),
    Family(
        "T1 head, sub-26",
        "t1_ds002748_sub26.nii.gz",
        tuple(f"t1_ds002748_sub{n}.nii.gz" for n in ("01", "10", "30")),
    ),
    Family(
        "FLAIR, patient 12",
        "flair_openms-long_p12s1.nii.gz",
        tuple(f"flair_openms-long_{n}.nii.gz" for n in ("p01s1", "p03s2", "p09s2", "p19s1")),
    ),
    Family("T1 noisy, sub-12", "t1_openfmri-ds011_sub12.nii.gz", ("t1_openfmri-ds011_sub01.nii.gz",)),
    Family("T2, patient 3", "t2_openms-long_p03s2.nii.gz", ("t2_openms-long_p01s1.nii.gz",)),
)

# FWHM down the rows and along the columns in coarse voxels, or a box of one coarse voxel; noise as a share of the range
CASES = (
    ("gaussian", 0.8, 0.8, 0.01),
    ("gaussian", 0.8, 1.4, 0.02),
    ("gaussian", 1.2, 1.2, 0.05),
    ("gaussian", 1.6, 1.0, 0.03),
    ("gaussian", 2.0, 2.0, 0.01),
    ("box", 1.0, 1.0, 0.02),
)


def hidden_degradation(case: tuple[str, float, float, float], factor: int) -> LearnedDegradation:
    """Return the degradation of a case of ``CASES``."""
    shape, *widths, noise = case
    if shape == "box":
        taps = np.zeros(SUPPORT * factor)
        taps[SUPPORT // 2 * factor : (SUPPORT // 2 + 1) * factor] = 1 / factor
        profiles = [taps, taps]
    else:
        profiles = [gaussian_taps(width, factor).double().numpy() for width in widths]
    rows, columns = (tuple((taps / taps.sum()).tolist()) for taps in profiles)
    return LearnedDegradation(rows, columns, factor, noise)


def hidden_pair(
    sharp: torch.Tensor, degradation: LearnedDegradation, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the coarse slices of a hidden scan, ``(N, 1, h, w)``, and the true ones, ``(N, 1, H, W)``.

    Args:
        sharp: ``(N, H, W)``, in signal units.
        degradation: what the scan went through. seed: of the noise.
    """
    height, width = (size // degradation.factor * degradation.factor for size in sharp.shape[1:])
    truth = sharp[:, None, :height, :width].clamp(min=0)
    coarse = degradation.operator(truth, degradation.factor)
    return add_rician_noise(coarse, degradation.noise, torch.Generator().manual_seed(seed)), truth


def validate(folder: Path, family: Family, case: tuple, factor: int, iterations: int, seed: int) -> dict:
    """Return the relative errors, in percent, of the FWHM down the rows and along the columns and of the noise."""
    truth = hidden_degradation(case, factor)
    hidden, fine_spacing = read_slices(folder / family.hidden)
    coarse, _ = hidden_pair(hidden, truth, seed)
    sharp = read_sharp_slices([folder / name for name in family.sharp], fine_spacing)
    started = time.monotonic()
    found = learn_degradation([coarse[:, 0]], sharp, factor, iterations, seed)
    errors = [100 * (f / t - 1) for f, t in zip(found.fwhm_voxels, truth.fwhm_voxels)]
    return {
        "family": family.name,
        "case": list(case),
        "factor": factor,
        "iterations": iterations,
        "fwhm_errors": errors,
        "noise_error": 100 * (found.noise / truth.noise - 1),
        "seconds": time.monotonic() - started,
    }


def table(records: list[dict]) -> str:
    """Return the records as a Markdown table, with the mean and the largest error and how many meet the targets."""
    lines = [
        "| hidden scan | kernel, FWHM rows x columns (coarse voxels) | noise | FWHM error | noise error |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for record in records:
        shape, rows, columns, noise = record["case"]
        fwhm = " / ".join(f"{error:+.0f} %" for error in record["fwhm_errors"])
        lines.append(
            f"| {record['family']} | {shape} {rows} x {columns} | {100 * noise:.0f} % | {fwhm}"
            f" | {record['noise_error']:+.0f} % |"
        )
    widths = np.abs([error for record in records for error in record["fwhm_errors"]])
    noises = np.abs([record["noise_error"] for record in records])
    met = sum(max(map(abs, r["fwhm_errors"])) <= FWHM_TARGET and abs(r["noise_error"]) <= NOISE_TARGET for r in records)
    lines.append(
        f"\nFWHM error: mean {widths.mean():.1f} %, largest {widths.max():.1f} %. Noise error: mean"
        f" {noises.mean():.1f} %, largest {noises.max():.1f} %. Within {FWHM_TARGET} % and {NOISE_TARGET} %:"
        f" {met} of {len(records)} cases. Median {np.median([r['seconds'] for r in records]):.0f} s a case."
    )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, run all cases, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the scans that FAMILIES names")
    parser.add_argument("--factor", type=int, choices=(2, 4), default=2)
    parser.add_argument("--iterations", type=int, nargs="+", default=[0, 150], help="one table for each")
    parser.add_argument("--families", type=int, default=len(FAMILIES), help="only the first so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the records as JSON")
    options = parser.parse_args()
    records = []
    cases = [(i, family, case) for i in options.iterations for family in FAMILIES[: options.families] for case in CASES]
    for iterations, family, case in tqdm(cases):
        records.append(validate(options.data, family, case, options.factor, iterations, options.seed))
        if options.out:
            options.out.write_text(json.dumps(records, indent=1), encoding="utf-8")
    for iterations in options.iterations:
        print(f"\n{iterations} adversarial steps\n")
        print(table([record for record in records if record["iterations"] == iterations]))


if __name__ == "__main__":
    main()
