"""Time ours against the plain loop, in one run on one machine, and print the ratio.

    python -m Testing.benchmark.benchmark [--input FILE] [--slices 8] [--device cpu]

The plain loop is what a first implementation does: ESRGAN's generator (RRDB, 64 channels, 23 blocks), float32,
contiguous, one whole slice at a time. Ours is the product's own path from volume to volume, data consistency and
conversion included.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
import torch

from SuperResolutionLib.devices import choose_device, fastest_precision
from SuperResolutionLib.example import example_volume
from SuperResolutionLib.inference import SliceInference
from SuperResolutionLib.intensity import IntensityScale
from SuperResolutionLib.networks import RRDBNet
from SuperResolutionLib.upscaling import UpscaleRequest, upscale
from SuperResolutionLib.volume import Volume
from SuperResolutionLib.volume_files import read_volume

FACTOR = 4


def seconds_per_slice(work, slices: int, repeats: int) -> list[float]:
    """Return the seconds per slice of each repeat of ``work()``, after one that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append((time.perf_counter() - began) / slices)
    return seconds


def plain_loop(planes: torch.Tensor, device: torch.device) -> list[float]:
    """Return the plain loop's seconds for each of ``planes`` ``(N, 1, H, W)``, after a small warm-up."""
    network = RRDBNet(FACTOR, 64, 32, 23, dense="plain", upsampling="nearest", output="residual").eval().to(device)
    seconds = []
    with torch.inference_mode():
        network(planes[:1, :, :32, :32].to(device)).cpu()
        for plane in planes:
            began = time.perf_counter()
            network(plane[None].to(device)).cpu()
            seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Parse the command line, time all paths and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", help="a volume; by default the embedded head slice, repeated")
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    volume = read_volume(options.input) if options.input else example_volume()
    index = np.linspace(0, volume.dimensions[2] - 1, options.slices).round().astype(int)
    volume = Volume(np.ascontiguousarray(volume.voxels[index]), volume.ijk_to_ras)
    device = choose_device(options.device)
    torch_device = torch.device(device.name)
    planes = torch.from_numpy(IntensityScale.of(volume.voxels).normalise(volume.voxels))[:, None]

    plain = plain_loop(planes[:3], torch_device)
    request = UpscaleRequest(factor=(FACTOR, FACTOR, 1), quality="fast", device=device.name)
    compact = seconds_per_slice(lambda: upscale(volume, request), options.slices, 3)
    standard = SliceInference(
        RRDBNet(FACTOR, 32, 16, 8, dense="plain", upsampling="subpixel", output="residual").eval(),
        torch_device,
        fastest_precision(torch_device),
        empty=float(planes[0, 0, 0, 0]),
    )
    rrdb = seconds_per_slice(lambda: [standard(plane[None]) for plane in planes], options.slices, 2)

    print(f"{device.label}, {platform.processor() or platform.machine()}, torch {torch.__version__}")
    print(f"{' x '.join(map(str, volume.dimensions))} voxels, x{FACTOR} in the slice plane, seconds per slice:")
    rows = [
        ("plain loop, ESRGAN RRDB 64 x 23, float32", plain),
        (f"ours fast, volume to volume, {str(fastest_precision(torch_device)).removeprefix('torch.')}", compact),
        ("ours standard RRDB 32 x 8, network only", rrdb),
    ]
    for name, seconds in rows:
        ratio = np.median(plain) / np.median(seconds)
        print(f"  {name:52s} {np.median(seconds):8.3f} ({min(seconds):.3f} to {max(seconds):.3f})   {ratio:6.1f} x")


if __name__ == "__main__":
    main()
