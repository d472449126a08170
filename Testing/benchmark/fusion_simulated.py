"""How well several thick stacks become one volume: simulated from a scan whose truth is known.

    python -m Testing.benchmark.fusion_simulated SCAN... [--seeds N] [--slices N] [--field N] [--middle MM] [--out DIR]

Out of each isotropic scan three orthogonal stacks are made as a scanner would: slices of 4 mm (Gaussian profile, FWHM
= spacing), each of another gain and smooth bias, the second and third turned and shifted while their headers do not
say so, with Rician noise, as int16. They are fused, and compared with the truth inside the patient, wherever all three
see it, after a smooth gain: so are each stack alone, made isotropic by the network for new slices, and the mean of the
three by cubic B-spline, both of which are told the true places, the mean also the true gains. Prints a table, and
writes table.md, records.json and the volumes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.slice_profile import profile_weights
from SuperResolutionLib.evaluation.metrics import (
    foreground,
    fourier_row_correlation,
    frc_cutoff,
    psnr,
    similarity_maps,
    ssim,
)
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import image_from_volume, write_volume
from SuperResolutionLib.fusion.fuse import fuse
from SuperResolutionLib.fusion.request import FuseRequest
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.resampling import resample_to_spacing
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

from .on_grid import on_grid
from .smooth_gain import with_fitted_gain

THICK, THIN = 4.0, 4
"""mm, of a slice; and thin slices that are drawn to make one."""
PLANES = {"transverse": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
"""The axes of the truth, i, j, k, that a stack's columns, rows and slices lie along."""
NOISE = 0.02
"""Of the robust range."""
MOST_MM, MOST_DEGREES = 3.0, 3.0
"""Along and about each axis."""
GAINS, BIAS = (0.8, 1.2), 0.1
"""The range of gains, and the largest share by which the smooth bias differs from 1."""
INSIDE = 3.0
"""mm from the faces of a stack's box, nearer than which it does not count as seen."""


@dataclass(frozen=True)
class Simulated:
    """A stack, and what its header does not say.

    Attributes:
        stack: the slices, int16. movement: 4x4, from the places in its header to the true ones, RAS mm.
        gain: at each voxel, ``(k, j, i)``.
    """

    stack: Volume
    movement: np.ndarray
    gain: np.ndarray

    @property
    def in_place(self) -> Volume:
        """The stack where it truly lies."""
        return replace(self.stack, ijk_to_ras=self.movement @ self.stack.ijk_to_ras)


def simulated(truth: Volume, seed: int, slices: int | None = None, field: int | None = None) -> list[Simulated]:
    """Return three orthogonal stacks of ``truth``, isotropic; the first lies where its header says.

    Args:
        slices, field: how many slices a stack has, and how many columns and rows, about the middle of ``truth``; None
            takes as many as ``truth`` holds. Beyond its faces its last voxels go on.
    """
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    sigma = NOISE * IntensityScale.of(truth.voxels).span
    coefficients = itk_coefficients(truth)
    stacks = []
    for plane, axes in PLANES.items():
        sizes = [field or truth.dimensions[axis] for axis in axes[:2]]
        sizes.append(slices or int(truth.dimensions[axes[2]] * truth.spacing[axes[2]] / THICK + 1e-6))
        grid = _grid(truth, axes, sizes)
        movement = np.eye(4) if plane == "transverse" else _movement(truth, random)
        thin = _thin(coefficients, Grid(movement @ grid.ijk_to_ras, grid.dimensions))
        centres = (torch.arange(sizes[2], dtype=torch.float64) + 0.5) * THIN + THIN - 0.5
        weights = profile_weights(centres, len(thin), float(THIN), "gaussian").float().numpy()
        gain = random.uniform(*GAINS) * _bias(grid.dimensions, random)
        signal = np.maximum(np.tensordot(weights, thin, 1), 0) * gain
        noisy = add_rician_noise(torch.from_numpy(signal.astype(np.float32)), sigma, generator).numpy()
        voxels = np.rint(noisy).astype(np.int16)
        stacks.append(Simulated(Volume(voxels, grid.ijk_to_ras, "MR", THICK, 2), movement, gain))
    return stacks


def itk_coefficients(truth: Volume) -> sitk.Image:
    """Return the coefficients of the B-spline of degree 5 through ``truth``, which passes nearly all of its band."""
    decomposition = sitk.BSplineDecompositionImageFilter()
    decomposition.SetSplineOrder(5)
    return decomposition.Execute(sitk.Cast(image_from_volume(truth), sitk.sitkFloat32))


def _thin(coefficients: sitk.Image, grid: Grid) -> np.ndarray:
    """Return thin slices at the places of a grid of thick ones, and of one more slice to each side."""
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] -= matrix[:3, 2] * (1.5 - 0.5 / THIN)
    matrix[:3, 2] /= THIN
    where = image_from_volume(Volume(np.zeros((1, 1, 1), np.uint8), matrix))
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(where)
    resampler.SetSize([*grid.dimensions[:2], (grid.dimensions[2] + 2) * THIN])
    resampler.SetInterpolator(sitk.sitkBSplineResamplerOrder5)
    resampler.UseNearestNeighborExtrapolatorOn()
    return sitk.GetArrayFromImage(resampler.Execute(coefficients))


def _grid(truth: Volume, axes: tuple[int, ...], sizes: list[int]) -> Grid:
    """Return the grid of a stack along ``axes`` of ``truth``, about its middle."""
    index = np.zeros((4, 4))
    index[3, 3] = 1
    steps = [1.0, 1.0, THICK / truth.spacing[axes[2]]]
    for column, (axis, step, size) in enumerate(zip(axes, steps, sizes)):
        index[axis, column] = step
        index[axis, 3] = (truth.dimensions[axis] - 1) / 2 - step * (size - 1) / 2
    if sizes[2] * THICK <= truth.dimensions[axes[2]] * truth.spacing[axes[2]] and sizes[2] > 1:
        # Where the slices tile whole voxels, results on the truth's voxels need no interpolation.
        index[axes[2], 3] = np.floor(index[axes[2], 3] - steps[2] / 2 + 0.5) + steps[2] / 2 - 0.5
    return Grid(truth.ijk_to_ras @ index, (sizes[0], sizes[1], sizes[2]))


def _movement(truth: Volume, random: np.random.Generator) -> np.ndarray:
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*np.radians(random.uniform(-MOST_DEGREES, MOST_DEGREES, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = truth.ijk_to_ras[:3] @ [*((size - 1) / 2 for size in truth.dimensions), 1.0]
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + random.uniform(-MOST_MM, MOST_MM, 3)
    return matrix


def _bias(dimensions: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    """Return a smooth field about 1, ``(k, j, i)``: products of half a cosine wave at most along each axis."""
    waves = [np.cos(np.pi * np.outer([0, 0.5, 1], np.linspace(0, 1, size))) for size in dimensions[::-1]]
    field = np.einsum("abc,ak,bj,ci->kji", random.normal(size=(3, 3, 3)), *waves)
    field -= field.mean()
    return np.exp(field * (BIAS / np.abs(field).max()))


def resampled_nearest(stack: Volume, grid: Grid) -> np.ndarray:
    """Return the voxels of a stack as thick as they are on ``grid``, ``(k, j, i)`` float32."""
    where = image_from_volume(Volume(np.zeros(grid.dimensions[::-1], np.uint8), grid.ijk_to_ras))
    image = sitk.Cast(image_from_volume(stack), sitk.sitkFloat32)
    return sitk.GetArrayFromImage(sitk.Resample(image, where, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0))


def placing_error(found: np.ndarray, true: np.ndarray, truth: Volume) -> float:
    """Return the mean distance, mm, between where two movements take the places in the box of ``truth``."""
    steps = [np.linspace(0, size - 1, 5) for size in truth.dimensions]
    index = np.array([(*at, 1.0) for at in itertools.product(*steps)])
    return float(np.linalg.norm((index @ truth.ijk_to_ras.T @ (found - true).T)[:, :3], axis=1).mean())


def seen_by_all(stacks: list[Simulated], truth: Volume) -> np.ndarray:
    """Return where in ``truth``, ``(k, j, i)``, all stacks measured."""
    k, j, i = np.indices(truth.voxels.shape, dtype=np.float32)
    seen = np.ones(truth.voxels.shape, bool)
    for stack in (each.in_place for each in stacks):
        to_stack = np.linalg.solve(stack.ijk_to_ras, truth.ijk_to_ras)
        for row, size, spacing in zip(to_stack, stack.dimensions, stack.spacing):
            at = row[0] * i + row[1] * j + row[2] * k + row[3] + 0.5
            seen &= (at >= INSIDE / spacing) & (at <= size - INSIDE / spacing)
    return seen


def score(image: np.ndarray, truth: Volume, mask: np.ndarray) -> dict:
    """Return how near ``image`` is to ``truth`` inside ``mask``, all ``(k, j, i)``, after a smooth gain.

    ``frc``: up to which frequency, cycles/mm, it is right along k, j and i.
    """
    box = tuple(slice(at.min(), at.max() + 1) for at in np.nonzero(mask))
    true, inside = truth.voxels[box].astype(np.float32), mask[box]
    fitted = with_fitted_gain(np.maximum(image[box], 0), true, inside)
    scale = IntensityScale.of(truth.voxels)
    cutoffs = []
    for axis in range(3):
        ours, reference = (np.moveaxis(array, axis, 1) for array in (fitted, true))
        frequencies, correlations = fourier_row_correlation(ours, reference, 1)
        cutoffs.append(frc_cutoff(frequencies, correlations) / truth.spacing[2 - axis])
    return {
        "psnr": psnr(fitted, true, scale.span, inside),
        "ssim": ssim(similarity_maps(fitted - scale.low, true - scale.low, scale.span), inside),
        "frc": cutoffs,
    }


def measurements(truth: Volume, name: str, seed: int, options: argparse.Namespace) -> list[dict]:
    """Return a record for each method, and print it."""
    stacks = simulated(truth, seed, options.slices, options.field)
    mask = foreground(IntensityScale.of(truth.voxels).normalise(truth.voxels)) & seen_by_all(stacks, truth)
    grid, records = Grid.of(truth), []

    def record(method: str, volume: Volume, **more: object) -> None:
        image = on_grid(volume, grid)
        records.append({"scan": name, "seed": seed, "method": method, **score(image, truth, mask), **more})
        print(json.dumps(records[-1]), flush=True)
        if options.out:
            short = method.replace(" ", "_")
            write_volume(Volume(image, grid.ijk_to_ras, "MR"), options.out / f"{name}_{seed}_{short}.nrrd")

    if options.out:
        image = resampled_nearest(stacks[0].stack, grid)
        for method, voxels in (("truth", truth.voxels), ("as_acquired", image)):
            write_volume(Volume(voxels, grid.ijk_to_ras, "MR"), options.out / f"{name}_{seed}_{method}.nrrd")
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    request = FuseRequest(spacing=truth.spacing[0], output_type="float", sharpen=options.sharpen)
    result = fuse([each.stack for each in stacks], request)
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = result.report["steps"][0]["scans"]
    errors = [placing_error(np.array(f["movement"]), s.movement, truth) for f, s in zip(found[1:], stacks[1:])]
    record(
        "fused",
        result.volume,
        placing_mm=errors,
        seconds=time.monotonic() - began,
        cpu_seconds=used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime,
        peak_mb=used.ru_maxrss / 1024,
        voxels=list(result.volume.dimensions),
    )
    splines = [replace(s.in_place, voxels=s.stack.voxels / s.gain) for s in stacks]
    mean = np.mean([on_grid(each, grid) for each in splines], axis=0)
    record("mean of B-splines", Volume(mean, grid.ijk_to_ras, "MR"))
    if options.single:
        isotropic = UpscaleRequest(factor=None, isotropic=True, output_type="float")
        for plane, each in zip(PLANES, stacks):
            record(f"network {plane}", upscale(each.in_place, isotropic).volume)
    return records


def table(records: list[dict]) -> str:
    """Return the results of each scan and seed as Markdown: the best single stack by PSNR stands for all three."""
    lines = ["| scan | seed | | PSNR | SSIM | frequency along k, j, i |", "| --- | --- | --- | ---: | ---: | --- |"]
    for scan, seed in dict.fromkeys((record["scan"], record["seed"]) for record in records):
        own = [record for record in records if (record["scan"], record["seed"]) == (scan, seed)]
        single = [record for record in own if record["method"].startswith("network")]
        shown = [record for record in own if record not in single]
        if single:
            shown.append(max(single, key=lambda record: record["psnr"]))
        for record in shown:
            frequencies = ", ".join(f"{value:.3f}" for value in record["frc"])
            lines.append(
                f"| {scan} | {seed} | {record['method']} | {record['psnr']:.2f} dB | {record['ssim']:.3f}"
                f" | {frequencies} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--slices", type=int, help="of each stack; as many as fit else")
    parser.add_argument("--field", type=int, help="columns and rows of each stack; those of the scan else")
    parser.add_argument("--middle", type=float, metavar="MM", help="only the scan's middle, to be quick")
    parser.add_argument("--no-sharpening", dest="sharpen", action="store_false")
    parser.add_argument("--no-single", dest="single", action="store_false", help="leave each stack alone out")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    records = []
    for scan in options.scans:
        volume = read_volume(scan)
        truth = resample_to_spacing(replace(volume, voxels=volume.voxels.astype(np.float32)), (1.0, 1.0, 1.0))
        if options.middle:
            first = [max(0, round((size - options.middle) / 2)) for size in truth.dimensions]
            truth = truth.cropped(tuple(first), tuple(size - at for size, at in zip(truth.dimensions, first)))
        for seed in options.seeds:
            records += measurements(truth, Path(scan).name.split(".")[0], seed, options)
    print(table(records))
    if options.out:
        (options.out / "table.md").write_text(table(records) + "\n", encoding="utf-8")
        (options.out / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
