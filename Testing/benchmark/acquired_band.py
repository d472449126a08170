"""Measure how often the acquired band of a scan is found, and what upscaling from it gains over the scan as stored.

    python -m Testing.benchmark.acquired_band SCAN... [--kept 0.9] [--slices 8] [--skip-gain] [--factor 2]
    python -m Testing.benchmark.acquired_band --axes FOLDER|SCAN...

The second prints what the headers of the DICOM series below the folders (or the sidecars of NIfTI files), the spectra
and the program say of each axis. The first measures:

Scans are made from real ones. Their k-space is cropped below every band that their own scanner may have filled, so that
the share that is to be found is known; complex noise is added, k-space is windowed and padded with zeros, and the
magnitude is rounded to 16 bits. Unfilled ones are the cropped scans, blurred, noisy, or made coarser by the operators
that the evaluation uses. Right means: told filled from unfilled; within 5 %: and the share is off by less.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from SuperResolutionLib.acquisition.acquired_band import detect_acquired_band
from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.operators import OPERATORS
from SuperResolutionLib.acquisition.survey import slice_axis
from SuperResolutionLib.evaluation.metrics import foreground
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale, as_scalar_type
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale
from Testing.benchmark.real_axes import print_tables

RATIOS = (1.25, 1.5, 1.78, 2.0)
WINDOWS = ("none", "Tukey", "Hamming", "Fermi")
NOISE = (0.0, 0.01, 0.02, 0.03)
FEWEST = 48


def resized_kspace(image: np.ndarray, size: int, axis: int, window: str = "none") -> np.ndarray:
    """Return the complex ``image`` with its k-space cropped, or windowed and padded, to ``size`` samples along an axis.

    The samples tile the same box before and after.
    """
    count = image.shape[axis]
    kept = min(count, size)
    index = np.arange(kept) - kept // 2
    shape = [-1 if n == axis else 1 for n in range(image.ndim)]
    ramp = np.exp(1j * np.pi * index * (1 / size - 1 / count)) * window_weights(window, kept)
    spectrum = np.take(np.fft.fft(image, axis=axis), index % count, axis=axis) * ramp.reshape(shape)
    padded = np.zeros([size if n == axis else extent for n, extent in enumerate(image.shape)], complex)
    np.moveaxis(padded, axis, 0)[index % size] = np.moveaxis(spectrum, axis, 0)
    return np.fft.ifft(padded, axis=axis) * (size / count)


def window_weights(name: str, count: int) -> np.ndarray:
    """Return the k-space window of a scanner over ``count`` centred samples."""
    radius = np.abs(np.arange(count) - count // 2) / (count / 2)
    if name == "Tukey":
        return np.where(radius < 0.7, 1.0, 0.5 + 0.5 * np.cos(np.pi * (radius - 0.7) / 0.3))
    if name == "Hamming":
        return 0.54 + 0.46 * np.cos(np.pi * radius)
    if name == "Fermi":
        return 1 / (1 + np.exp((radius - 0.9) / 0.03))
    return np.ones(count)


def acquire(
    truth: np.ndarray, sizes: tuple[int, int], window: str, sigma: float, random: np.random.Generator
) -> np.ndarray:
    """Return the magnitude, on the grid of ``truth`` ``(N, H, W)``, of a scan that acquired ``sizes`` samples of it.

    ``sigma`` is the noise's SD per channel in the units of ``truth``; the object gets a smooth random phase.
    """
    y, x = (np.linspace(-1, 1, size).reshape(shape) for size, shape in zip(truth.shape[1:], ((-1, 1), (1, -1))))
    terms = zip(random.normal(size=6), (1, x, y, x * x, x * y, y * y))
    image = truth * np.exp(1j * sum(weight * term for weight, term in terms))
    for axis, size in zip((1, 2), sizes):
        image = resized_kspace(image, size, axis)
    image = image + sigma * (random.normal(size=image.shape) + 1j * random.normal(size=image.shape))
    for axis, size in zip((1, 2), sizes):
        if size < truth.shape[axis]:
            image = resized_kspace(image, truth.shape[axis], axis, window)
    return np.abs(image)


def central_slices(path: Path, count: int) -> tuple[np.ndarray, tuple[float, float]]:
    """Return up to ``count`` slices ``(N, H, W)``, and the acquired share found along rows and columns."""
    volume = read_volume(path)
    across = slice_axis(volume)
    slices = np.moveaxis(volume.voxels, 2 - across, 0)
    chosen = np.unique((np.linspace(0.2, 0.8, count) * (len(slices) - 1) + 0.5).astype(int))
    band = detect_acquired_band(volume, across)
    first, last = (band.shares[axis] for axis in range(3) if axis != across)
    return slices[chosen].astype(np.float32), (last, first)


def as_volume(slices: np.ndarray) -> Volume:
    """Return slices as a 16-bit volume whose slice axis is k."""
    return Volume(as_scalar_type(slices, np.dtype(np.int16)), np.diag([1.0, 1.0, 5.0, 1.0]), "MR")


def detection_cases(sharp: np.ndarray, random: np.random.Generator) -> Iterator[tuple[str, np.ndarray, tuple]]:
    """Yield (kind, slices, true share along the rows and the columns) made from sharp slices ``(N, H, W)``."""
    span = float(np.percentile(sharp, 99.5))
    for window in WINDOWS:
        for noise in NOISE:
            ratios = random.choice(RATIOS, 2)
            filled = [(True, False), (False, True), (True, True)][random.integers(3)]
            sizes = [int(round(n / r)) if f else n for n, r, f in zip(sharp.shape[1:], ratios, filled)]
            slices = acquire(sharp, sizes, window, noise * span, random)
            if random.random() < 0.25:
                slices[:, : slices.shape[1] // 8] = 0
            yield f"filled, window {window}", slices, [size / n for size, n in zip(sizes, sharp.shape[1:])]
    yield "unfilled, k-space cropped", sharp, (1, 1)
    for sigma in (0.5, 0.7, 0.9):
        blurred = sitk.DiscreteGaussian(sitk.GetImageFromArray(sharp), (sigma**2, sigma**2, 0.0), 32, 1e-4, False)
        yield "unfilled, blurred", sitk.GetArrayFromImage(blurred), (1, 1)
    tensor = torch.from_numpy(sharp)[:, None]
    generator = torch.Generator().manual_seed(int(random.integers(1 << 30)))
    for noise in (0.01, 0.03, 0.05):
        yield "unfilled, noisy", add_rician_noise(tensor, noise * span, generator)[:, 0].numpy(), (1, 1)
    for factor in (2, 4):
        height, width = (size // factor * factor for size in sharp.shape[1:])
        for name, operator in OPERATORS.items():
            coarse = operator(tensor[..., :height, :width].contiguous(), factor).clamp(min=0)
            yield f"unfilled, {name}", coarse[:, 0].numpy(), (1, 1)
            yield f"unfilled, {name}", add_rician_noise(coarse, 0.02 * span, generator)[:, 0].numpy(), (1, 1)


def measure_detection(paths: list[Path], count: int, kept: float, random: np.random.Generator) -> None:
    """Print the table of how often the band is found, an axis of a scan being one case.

    ``kept`` of what was found of the scan's own band is taken for surely acquired.
    """
    outcomes = defaultdict(list)
    for path in paths:
        slices, shares = central_slices(path, count)
        sizes = [int(round(size * kept * share)) for size, share in zip(slices.shape[1:], shares)]
        sharp = np.abs(resized_kspace(resized_kspace(slices, sizes[0], 1), sizes[1], 2)).astype(np.float32)
        for kind, image, truth in detection_cases(sharp, random):
            columns, rows, _ = detect_acquired_band(as_volume(image), 2).shares
            for found, true, size in zip((rows, columns), truth, image.shape[1:]):
                if size >= FEWEST:
                    right = (found < 1) == (true < 1)
                    name = kind if true < 1 or kind.startswith("unfilled") else "unfilled, the other axis"
                    outcomes[name].append((right, right and abs(found - true) <= 0.05 * true))
    print("| scan | axes | right | share within 5 % |\n|---|--:|--:|--:|")
    groups = {
        "all filled": [o for kind, rows in outcomes.items() if kind.startswith("filled") for o in rows],
        "all unfilled": [o for kind, rows in outcomes.items() if kind.startswith("unfilled") for o in rows],
        "all": [o for rows in outcomes.values() for o in rows],
    }
    for kind, rows in (*sorted(outcomes.items()), *groups.items()):
        right, close = np.mean(rows, axis=0)
        print(f"| {kind} | {len(rows)} | {100 * right:.1f} % | {100 * close:.1f} % |")


def measure_gain(paths: list[Path], factor: int, count: int, random: np.random.Generator) -> None:
    """Print the table of PSNR (dB, foreground) over upscaling the scan as stored, with the scan itself as the truth."""
    print(f"\n| x{factor}, ratio, filled axes | volumes | as stored, dB | from the band | lowest | highest |")
    print("|---|--:|--:|--:|--:|--:|")
    for ratio, axes in ((2.0, 2), (1.5, 2), (1.25, 2), (1.5, 1), (1.25, 1)):
        rows = []
        for path in paths:
            truth, _ = central_slices(path, count)
            truth = truth[:, : truth.shape[1] // factor * factor, : truth.shape[2] // factor * factor]
            stored_sizes = [size // factor for size in truth.shape[1:]]
            if min(stored_sizes) < FEWEST:
                continue
            stored = np.abs(resized_kspace(resized_kspace(truth, stored_sizes[0], 1), stored_sizes[1], 2))
            sizes = [int(round(n / r)) for n, r in zip(stored_sizes, (ratio if axes == 2 else 1, ratio))]
            scale = IntensityScale.of(truth)
            volume = as_volume(acquire(stored, sizes, "none", 0.01 * scale.span, random))
            mask = foreground(scale.normalise(truth))
            values = []
            for as_stored in (True, False):
                result = upscale(volume, UpscaleRequest(factor=factor, as_stored=as_stored)).volume.voxels
                error = np.mean((result.astype(np.float32) - truth)[mask] ** 2)
                values.append(10 * np.log10(scale.span**2 / error))
            rows.append(values)
        stored_db, gain = np.mean(rows, axis=0)[0], np.diff(rows, axis=1)[:, 0]
        print(
            f"| {ratio:g}, {'both' if axes == 2 else 'one'} | {len(rows)} | {stored_db:.2f} | {gain.mean():+.2f} |"
            f" {gain.min():+.2f} | {gain.max():+.2f} |",
            flush=True,
        )


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="magnitude images of MRI")
    parser.add_argument("--axes", action="store_true", help="only say of each axis what header and spectrum say")
    parser.add_argument("--slices", type=int, default=8, help="slices a scan for the detection (8); a quarter for dB")
    parser.add_argument("--factor", type=int, action="append", help="factors of the dB tables (2 and 4)")
    parser.add_argument("--kept", type=float, default=0.9, help="share of a scan's own band that is kept (0.9)")
    parser.add_argument("--skip-gain", action="store_true", help="only the detection")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.axes:
        print_tables(options.scans)
        return
    print("The scans themselves, as their scanners stored them:")
    for path in options.scans:
        volume = read_volume(path)
        print(f"- {path.name}: {detect_acquired_band(volume, slice_axis(volume)).in_words()}")
    print()
    measure_detection(options.scans, options.slices, options.kept, np.random.default_rng(options.seed))
    for factor in () if options.skip_gain else options.factor or (2, 4):
        measure_gain(options.scans, factor, max(1, options.slices // 4), np.random.default_rng(options.seed))


if __name__ == "__main__":
    main()
