"""Time ours against the plain loop, in turns on one machine, and print the ratio of each round.

    python -m Testing.benchmark.benchmark [--input FILE] [--slices 8] [--rounds 5] [--device cpu] [--threads N]
        [--against CHECKOUT [--jobs fast standard isotropic preview]]

The plain loop is what a first implementation does: ESRGAN's generator (RRDB, 64 channels, 23 blocks), float32,
contiguous, one whole slice at a time. Ours is the product's own path from volume to volume, data consistency and
conversion included; a zero-filled scan is left as stored, so that both upscale the same voxels.

With ``--against`` the other side is the program of another checkout, on the CPU, from file to file (``builds``). Either
way the class of the processor is told, and which share of its own fastest convolution the networks reach.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.files.example import example_volume
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.bundles import choose_model
from SuperResolutionLib.models.devices import choose_device
from SuperResolutionLib.models.networks import RRDBNet
from SuperResolutionLib.models.precision import fastest_precision, kept
from SuperResolutionLib.upscaling.inference import SliceInference
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale
from Testing.benchmark.builds import JOBS, compare
from Testing.benchmark.processor import peak, precisions, processor_class, reached

FACTOR = 4
CHECKOUT = Path(__file__).resolve().parents[2]


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long one call of ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Parse the command line, time all paths and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", help="a volume; by default the embedded head slice, repeated")
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="of each process")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout, whose program is compared")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    options = parser.parse_args()
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)
        torch.set_num_threads(options.threads)
    print(f"{processor_class()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if options.against:
        if not options.input:
            parser.error("--against needs --input")
        compare(CHECKOUT, options.against.resolve(), Path(options.input), options.slices, options.rounds, options.jobs)
    else:
        against_the_plain_loop(options)
    if choose_device(options.device).name == "cpu" or options.against:
        print_shares_of_the_peak()


def print_shares_of_the_peak() -> None:
    """Print how fast the networks' convolutions run, and the fastest convolution of the processor in that precision."""
    for precision in precisions():
        best = peak(precision)
        shares = ", ".join(
            f"{quality} {reached(choose_model(FACTOR, quality).load(0.0), precision) / best:.0%}"
            for quality in ("fast", "standard")
        )
        print(f"  {precision:8s} at best {best / 1e9:5.0f} G operations a second; the networks reach {shares} of it")


def against_the_plain_loop(options: argparse.Namespace) -> None:
    """Time the plain loop and ours in turns, and print the table."""
    volume = read_volume(options.input) if options.input else example_volume()
    index = np.linspace(0, volume.dimensions[2] - 1, options.slices).round().astype(int)
    volume = Volume(np.ascontiguousarray(volume.voxels[index]), volume.ijk_to_ras)
    device = choose_device(options.device)
    torch_device = torch.device(device.name)
    planes = torch.from_numpy(IntensityScale.of(volume.voxels).normalise(volume.voxels))[:, None]

    plain = RRDBNet(FACTOR, 64, 32, 23, dense="plain", upsampling="nearest", output="residual").eval().to(torch_device)
    request = UpscaleRequest(factor=(FACTOR, FACTOR, 1), quality="fast", device=device.name, as_stored=True)
    network = choose_model(FACTOR, "standard").load(0.0)
    choice = fastest_precision(network, torch_device)
    standard = SliceInference(
        network,
        torch_device,
        choice.precision,
        show=lambda call: call(planes[len(planes) // 2 :][:1]),
        empty=float(planes[0, 0, 0, 0]),
    )
    works = {
        "plain loop, ESRGAN RRDB 64 x 23, float32": (lambda: plain(planes[:1].to(torch_device)).cpu(), 1),
        f"ours fast, volume to volume, {choice.precision}": (
            lambda: (kept.forget(), upscale(volume, request)),
            options.slices,
        ),
        "ours standard RRDB 64 x 2, network only": (
            lambda: [standard(plane[None]) for plane in planes[: options.slices // 2]],
            options.slices // 2,
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in works}
    with torch.inference_mode():
        plain(planes[:1, :, :32, :32].to(torch_device))
        upscale(volume, request)
        # In turns, so that a host whose speed drifts slows all of them alike.
        for _ in range(options.rounds):
            for name, (work, slices) in works.items():
                seconds[name].append(seconds_of(work) / slices)

    print(device.label)
    print(f"{' x '.join(map(str, volume.dimensions))} voxels, x{FACTOR} in the slice plane, seconds per slice:")
    for name, taken in seconds.items():
        ratios = [slow / quick for slow, quick in zip(next(iter(seconds.values())), taken)]
        print(
            f"  {name:52s} {np.median(taken):8.3f} ({min(taken):.3f} to {max(taken):.3f})"
            f"   {np.median(ratios):6.1f} x ({min(ratios):.1f} to {max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
