"""Time thick slices made isotropic, 256 x 256 x 30 voxels of 1 x 1 x 4 mm to 1 mm, and tell what memory it takes.

    python -m Testing.benchmark.new_slices_time [--rounds 3] [--device cpu]

The volume is the embedded head slice, shifted from slice to slice so that edges run obliquely through the stack.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time

import numpy as np
import torch

from SuperResolutionLib.files.example import example_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale

SLICES = 30


def stack_of_slices() -> Volume:
    """Return ``SLICES`` slices of 256 x 256 voxels, int16."""
    image = example_volume().voxels[0].astype(np.int16)
    voxels = np.stack([np.roll(image, (n - SLICES // 2, SLICES // 2 - n), (0, 1)) for n in range(SLICES)])
    return Volume(voxels, np.diag([1.0, 1.0, 4.0, 1.0]), "MR")


def main() -> None:
    """Parse the command line, time the rounds and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    volume = stack_of_slices()
    request = UpscaleRequest(factor=None, isotropic=True, device=options.device)
    upscale(volume, UpscaleRequest(factor=None, isotropic=True, device=options.device, box=((0, 0, 0), (16, 16, 4))))
    before = _peak_memory()
    seconds = []
    for _ in range(options.rounds):
        began = time.perf_counter()
        result = upscale(volume, request)
        seconds.append(time.perf_counter() - began)
    size = result.volume.voxels.nbytes / 2**20
    extra = (_peak_memory() - before) / 2**20 - size
    print(f"{result.report['device_label']}, {platform.processor() or platform.machine()}, torch {torch.__version__}")
    print(
        f"{' x '.join(map(str, volume.dimensions))} to {' x '.join(map(str, result.volume.dimensions))} voxels,"
        f" {result.report['through_plane']['precision']}: {np.median(seconds):.1f} s ({min(seconds):.1f} to"
        f" {max(seconds):.1f}), at most {extra:.0f} MB above the output of {size:.0f} MB"
    )


def _peak_memory() -> int:
    """Return the most memory that this process has had, in bytes; Linux counts in kilobytes, macOS in bytes."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
