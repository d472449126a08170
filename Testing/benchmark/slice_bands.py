"""How surely slices that differ in brightness by turns are told from anatomy, and how well their gains are found.

    python -m Testing.benchmark.slice_bands SCAN...

Each scan is averaged along each of its axes by a box of several widths, up to 12 mm, with twelve slices at least;
stacks that are thick already are taken as they are. Each stack is surveyed as it is and with every second, third and
fourth slice brighter by 5 and by 15 %. CT counts as anatomy alone, from the density of air. Prints what was found in
stacks as they are, and a table.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from SuperResolutionLib.acquisition.slice_gains import SIGNAL, find_slice_bands
from SuperResolutionLib.acquisition.slice_profile import slice_profile_weights
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.grid import Grid

WIDTHS = (1, 2, 3, 4, 5, 6, 8)
THICK = 1.5
MOST = 12
PATTERNS = [(period, share) for period in (2, 3, 4) for share in (0.05, 0.15)]


def stacks(path: str):
    """Yield the name and ``(K, H, W)`` float32 slices of each stack that a scan gives."""
    volume = read_volume(path)
    voxels = np.maximum(volume.voxels.astype(np.float32) + 1000 * (volume.voxels.min() < -500), 0)
    for axis, spacing in enumerate(volume.spacing):
        slices = np.moveaxis(voxels, 2 - axis, 0)
        for width in WIDTHS:
            if len(slices) < 12 * width or width * spacing > MOST or (width == 1 and spacing < THICK):
                continue
            weights = slice_profile_weights(len(slices), width, width, "boxcar").float().numpy()
            yield f"{Path(path).name} {'ijk'[axis]} x {width}", np.tensordot(weights, slices, 1)


def error(slices: np.ndarray, grid: Grid, gains: np.ndarray) -> float | None:
    """Return the RMS error of the logarithm of the gains that are found, where there is signal; None if none are."""
    bands = find_slice_bands(slices * gains[:, None, None], grid, 2)
    if bands is None:
        return None
    found = -np.log(bands.gains(grid).levelled(np.ones_like(slices)))
    wrong = found - found.mean(axis=0) - (np.log(gains) - np.log(gains).mean())[:, None, None]
    return float(np.sqrt(np.mean(wrong[slices > SIGNAL * np.percentile(slices, 99)] ** 2)))


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", metavar="SCAN")
    count, errors = 0, defaultdict(list)
    for path in parser.parse_args().scans:
        for name, slices in stacks(path):
            count += 1
            grid = Grid(np.eye(4), slices.shape[::-1])
            bands = find_slice_bands(slices, grid, 2)
            if bands is not None:
                print(f"{name}: {bands.sentence}")
            for period, share in PATTERNS:
                gains = np.where(np.arange(len(slices)) % period == 1, 1 + share, 1.0)
                errors[period, share].append((error(slices, grid, gains), float(np.log(gains).std())))
    print(f"{count} stacks\n\n| every | brighter by | found | RMS error: median, highest | more than the bands |")
    print("| --- | --- | ---: | --- | ---: |")
    for (period, share), found in errors.items():
        known = np.array([pair for pair in found if pair[0] is not None])
        print(
            f"| {period} | {share:.0%} | {len(known) / count:.1%} | {np.median(known[:, 0]):.2%},"
            f" {known[:, 0].max():.2%} | {np.count_nonzero(known[:, 0] > known[:, 1])} |"
        )


if __name__ == "__main__":
    main()
