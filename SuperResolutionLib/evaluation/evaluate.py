"""How much better than interpolation a result is: true scans degraded by known operators, upscaled, and scored.

A scan serves as its own truth. Its slices are made coarser by an acquisition operator, stored in the scan's own scalar
type as a scanner would, upscaled by every method, and compared with what was there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional as F

from ..acquisition.noise import add_rician_noise
from ..acquisition.operators import OPERATORS
from ..acquisition.slice_profile import FWHM_OF_UNIT_GAUSSIAN
from ..acquisition.survey import slice_axis
from ..errors import InputError
from ..files.reading import read_volume
from ..geometry.intensity import IntensityScale, as_scalar_type
from ..geometry.interpolation import back_project, interpolate
from ..geometry.line_weights import INTERPOLATORS
from ..geometry.volume import AXES, Volume, refined_matrix
from .metrics import SSIM_WINDOW, background_deviation, foreground, psnr, score

NOISES = {"kspace-noise": 0.02, "kspace-noise5": 0.05}
SOFTENINGS = {"kspace-soft": 2.0}  # FWHM in fine voxels of the Gaussian that blurs the truth itself beforehand
DEGRADATIONS = (*OPERATORS, *NOISES, *SOFTENINGS)
GAUSSIANS = (0.25, 0.35, 0.45, 0.55, 0.7, 0.85, 1.0, 1.3)
METHOD_LABELS = {
    "nearest": "Nearest",
    "linear": "Linear",
    "bspline": "B-spline",
    "lanczos": "Lanczos",
    "back-projection": "B-spline + back-projection",
    "gaussian": "B-spline + best Gaussian",
    "ours": "SuperResolution",
}
COLUMNS = (
    ("PSNR", "psnr_foreground", ".2f"),
    ("SSIM", "ssim_foreground", ".4f"),
    ("MS-SSIM", "ms_ssim_foreground", ".4f"),
    ("GMS", "gms_foreground", ".4f"),
    ("gain", "gain", "+.2f"),
    ("PSNR all", "psnr", ".2f"),
    ("SSIM all", "ssim", ".4f"),
    ("MS-SSIM all", "ms_ssim", ".4f"),
    ("FRC", "frc_cutoff", ".2f"),
    ("FRC ratio", "frc_ratio", ".2f"),
    ("noise", "noise_ratio", ".2f"),
)
CONTENT_SHARE = 0.25

Upscaler = Callable[[Volume, tuple[int, int, int]], Volume]


@dataclass(frozen=True)
class Truth:
    """True slices of one scan: a volume of evenly spaced slices, and what they are degraded and scored with.

    ``across`` is the axis (0, 1, 2 for i, j, k) across the slices, ``scale`` the robust range of the *whole* scan, and
    ``zero`` the intensity of no signal: 0, or the lowest one of a scan with negative voxels.
    """

    volume: Volume
    across: int
    factor: int
    scale: IntensityScale
    zero: float

    @property
    def factors(self) -> tuple[int, int, int]:
        """The factor along i, j and k."""
        return tuple(1 if axis == self.across else self.factor for axis in range(3))

    @property
    def plane(self) -> str:
        """The two axes of the slices, such as "ij"."""
        return AXES.replace(AXES[self.across], "")

    def slices_of(self, volume: Volume) -> np.ndarray:
        """Return the slices of this volume or of one made from it, ``(N, H, W)``; H is k or j, W is j or i."""
        return np.moveaxis(volume.voxels, 2 - self.across, 0)

    def stored(self, voxels: np.ndarray) -> np.ndarray:
        """Return ``voxels`` in the scan's scalar type, and not below 0 where the scan is not: what a file can hold."""
        return as_scalar_type(np.maximum(voxels, 0) if self.zero == 0 else voxels, self.volume.voxels.dtype)


@dataclass(frozen=True)
class Example:
    """One slice of one scan for a figure, as volumes that are one voxel thick; ``psnr`` is in dB over the foreground,
    by method."""

    name: str
    degradation: str
    truth: Truth
    coarse: Volume
    results: dict[str, Volume]
    psnr: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` returns.

    Attributes:
        records: one JSON-able dictionary per volume, degradation and method: "volume", "plane", "factor", "slices",
            "degradation", "method", "seconds", the values of ``metrics.score``, and "noise_ratio", the background's SD
            as a multiple of the coarse input's (absent where the input's background has none).
        examples: one per volume, of the first degradation.
    """

    records: list[dict]
    examples: list[Example]


def evaluate(
    paths: Sequence[os.PathLike | str],
    factor: int = 4,
    degradations: Sequence[str] = DEGRADATIONS,
    ours: Upscaler | None = None,
    plane: str | Mapping[str, str] | None = None,
    most_slices: int = 24,
    seed: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
) -> Evaluation:
    """Degrade, upscale and score high-resolution scans.

    Args:
        paths: image files or DICOM folders whose slices are truly sharp.
        factor: how many times coarser, along both axes of the slices.
        degradations: of ``DEGRADATIONS``: "area", "bicubic", "kspace"; "kspace-noise" and "kspace-noise5", which are
            "kspace" plus Rician noise of 2 % and 5 % of the robust range; and "kspace-soft", which is "kspace" of a
            scan softer than its grid, and is scored against that soft scan (``truth_for``).
        ours: the method under test, ``ours(coarse volume, factors i, j, k) -> fine volume``; it is not told the
            degradation. None scores the interpolations alone.
        plane: the axes of the slices, such as "ik", or one such entry per file name; default, and for files without
            an entry: across the coarsest spacing (``planning.slice_axis``).
        most_slices: slices used of a scan, evenly spaced over those with content.
        seed: of the noise.
        progress: called as ``progress(done, total, message)`` before each method and at the end.

    Raises:
        InputError: nothing to evaluate, an unknown degradation or plane, a factor below 2, or a scan that is too
            small, constant or not finite.
    """
    _check_request(paths, factor, degradations)
    names = [Path(path).name for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    methods = [method for method in METHOD_LABELS if method != "ours" or ours]
    total = len(paths) * len(degradations) * len(methods)
    records, examples = [], []
    for name, path in zip(names, paths):
        wanted = plane.get(name) if isinstance(plane, Mapping) else plane
        try:
            sharp = choose_slices(read_volume(path), factor, wanted, most_slices)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        mask = foreground(sharp.scale.normalise(sharp.slices_of(sharp.volume)))
        for degradation in degradations:
            truth = truth_for(sharp, degradation)
            coarse = degrade(truth, degradation, seed)
            results, scores = {}, {}
            for method in methods:
                progress(len(records), total, f"{name}, {degradation}: {METHOD_LABELS[method]}")
                began = time.monotonic()
                results[method] = _upscaled(truth, coarse, degradation, method, mask, ours)
                seconds = time.monotonic() - began
                scores[method] = score(
                    truth.slices_of(results[method]),
                    truth.slices_of(truth.volume),
                    truth.scale.span,
                    mask,
                    factor,
                    truth.scale.low,
                )
                noise = _noise_ratio(truth, coarse, results[method], mask)
                records.append(
                    {
                        "volume": name,
                        "plane": truth.plane,
                        "factor": factor,
                        "slices": len(mask),
                        "degradation": degradation,
                        "method": method,
                        **scores[method],
                        **({} if noise is None else {"noise_ratio": noise}),
                        "seconds": round(seconds, 3),
                    }
                )
            if degradation == degradations[0]:
                examples.append(_example(name, degradation, truth, coarse, results, scores))
    progress(total, total, "Done")
    return Evaluation(records, examples)


def _check_request(paths: Sequence, factor: int, degradations: Sequence[str]) -> None:
    if not paths:
        raise InputError("There is nothing to evaluate; give at least one image with sharp slices.")
    if factor != int(factor) or factor < 2:
        raise InputError(f"Cannot evaluate a factor of {factor}; give a whole number above 1.")
    if not degradations:
        raise InputError(f"Give at least one degradation of {', '.join(DEGRADATIONS)}.")
    for degradation in degradations:
        if degradation not in DEGRADATIONS:
            raise InputError(f"There is no degradation {degradation}; choose of {', '.join(DEGRADATIONS)}.")


def choose_slices(volume: Volume, factor: int, plane: str | None = None, most: int = 24) -> Truth:
    """Return up to ``most`` evenly spaced slices with content, cropped to multiples of ``factor``, where they lie.

    A slice has content if its voxels vary at least a quarter as much as those of the most varied slice. The plane is
    two axes, such as "ij", or None for the one across the coarsest spacing.

    Raises:
        InputError: an unknown plane, or a volume that is too small, constant or not finite.
    """
    across = slice_axis(volume) if plane is None else _axis_across(plane)
    if not np.isfinite(volume.voxels).all():
        raise InputError("The volume holds NaN or infinite voxels; replace them (by 0, say) and try again.")
    try:
        scale = IntensityScale.of(volume.voxels)
    except ValueError:
        raise InputError("All voxels of the volume are equal, so there is nothing to evaluate.") from None
    sides = [size // factor * factor for axis, size in enumerate(volume.dimensions) if axis != across]
    if min(sides) < max(SSIM_WINDOW, 4 * factor):
        raise InputError(f"The slices are too small to be made {factor} times coarser; choose another plane or volume.")
    variation = np.moveaxis(volume.voxels, 2 - across, 0).std(axis=(1, 2), dtype=np.float64)
    content = np.flatnonzero(variation > CONTENT_SHARE * variation.max())
    first, last = int(content[0]), int(content[-1]) + 1
    step = max(1, round((last - first) / most))
    count = min(most, -(-(last - first) // step))
    first += (last - first - (count - 1) * step - 1) // 2
    box = [slice(0, size // factor * factor) for size in volume.dimensions]
    box[across] = slice(first, first + (count - 1) * step + 1, step)
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += first * matrix[:3, across]
    matrix[:3, across] *= step
    chosen = Volume(volume.voxels[tuple(reversed(box))], matrix, volume.modality)
    return Truth(chosen, across, factor, scale, min(0.0, float(volume.voxels.min())))


def _axis_across(plane: str) -> int:
    axes = set(plane)
    if len(plane) != 2 or len(axes) != 2 or not axes < set(AXES):
        raise InputError(f"There is no slice plane {plane}; give two of the axes i, j and k, such as ij or ik.")
    return AXES.index((set(AXES) - axes).pop())


def truth_for(sharp: Truth, degradation: str) -> Truth:
    """Return what a degradation starts from and is scored against: ``sharp`` itself, or for those of ``SOFTENINGS``
    what a Gaussian leaves of it, a scan that is softer than its grid and must stay so."""
    if degradation not in SOFTENINGS:
        return sharp
    sigma = SOFTENINGS[degradation] / FWHM_OF_UNIT_GAUSSIAN
    blurred = _blurred(sharp.volume.voxels.astype(np.float32), sharp.across, sigma)
    return replace(sharp, volume=replace(sharp.volume, voxels=sharp.stored(blurred)))


def _blurred(voxels: np.ndarray, across: int, sigma: float) -> np.ndarray:
    """Return ``voxels``, ``(k, j, i)``, after a Gaussian of ``sigma`` voxels SD along both axes of the slices."""
    variances = [0.0 if axis == across else sigma**2 for axis in range(3)]
    return sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.GetImageFromArray(voxels), variances, 64, 0.001, False))


def degrade(truth: Truth, degradation: str, seed: int = 0) -> Volume:
    """Return the coarse volume that a scanner would have stored: on the coarse grid, in the scan's scalar type.

    ``truth`` is what ``truth_for`` returns for ``degradation``.
    """
    slices = torch.from_numpy(truth.slices_of(truth.volume).astype(np.float32) - np.float32(truth.zero))[:, None]
    coarse = _operator(degradation)(slices, truth.factor)
    if degradation in NOISES:
        generator = torch.Generator().manual_seed(seed)
        coarse = add_rician_noise(coarse, NOISES[degradation] * truth.scale.span, generator)
    stored = truth.stored(coarse[:, 0].numpy() + truth.zero)
    matrix = refined_matrix(truth.volume.ijk_to_ras, tuple(1 / factor for factor in truth.factors))
    return Volume(np.moveaxis(stored, 0, 2 - truth.across), matrix, truth.volume.modality)


def _operator(degradation: str) -> Callable[[torch.Tensor, int], torch.Tensor]:
    return OPERATORS["kspace" if degradation in (*NOISES, *SOFTENINGS) else degradation]


def _upscaled(
    truth: Truth, coarse: Volume, degradation: str, method: str, mask: np.ndarray, ours: Upscaler | None
) -> Volume:
    if method in INTERPOLATORS:
        result = interpolate(coarse, truth.factors, method)
    elif method == "back-projection":
        result = _back_projected(truth, coarse, degradation)
    elif method == "gaussian":
        result = _best_gaussian(truth, coarse, mask)
    else:
        result = ours(coarse, truth.factors)
    matrix = truth.volume.ijk_to_ras
    if result.dimensions != truth.volume.dimensions or not np.allclose(result.ijk_to_ras, matrix, rtol=0, atol=1e-4):
        raise ValueError(f"the method {method} did not return the grid of the truth")
    return Volume(truth.stored(result.voxels), matrix, truth.volume.modality)


def _back_projected(truth: Truth, coarse: Volume, degradation: str) -> Volume:
    start = interpolate(coarse, truth.factors, "bspline")
    images = [
        torch.from_numpy(truth.slices_of(volume).astype(np.float32) - np.float32(truth.zero))[:, None]
        for volume in (coarse, start)
    ]
    fine = back_project(*images, _operator(degradation), truth.factor)[:, 0].numpy() + np.float32(truth.zero)
    return replace(start, voxels=np.moveaxis(fine, 0, 2 - truth.across))


def _best_gaussian(truth: Truth, coarse: Volume, mask: np.ndarray) -> Volume:
    """Return the B-spline result after that Gaussian, of ``GAUSSIANS`` coarse voxels SD, which suits the truth best."""
    start = interpolate(coarse, truth.factors, "bspline")
    true = truth.slices_of(truth.volume)
    candidates = [start.voxels, *(_blurred(start.voxels, truth.across, sigma * truth.factor) for sigma in GAUSSIANS)]
    best = max(candidates, key=lambda voxels: psnr(np.moveaxis(voxels, 2 - truth.across, 0), true, 1.0, mask))
    return replace(start, voxels=best)


def _noise_ratio(truth: Truth, coarse: Volume, result: Volume, mask: np.ndarray) -> float | None:
    """Return the background's SD as a multiple of the coarse input's; None where that has none."""
    coarse_mask = F.max_pool2d(torch.from_numpy(mask)[:, None].float(), truth.factor)[:, 0].bool().numpy()
    before = background_deviation(truth.slices_of(coarse), coarse_mask)
    return background_deviation(truth.slices_of(result), mask) / before if before > 0 else None


def _example(
    name: str, degradation: str, truth: Truth, coarse: Volume, results: dict[str, Volume], scores: dict[str, dict]
) -> Example:
    middle = truth.volume.dimensions[truth.across] // 2

    def cut(volume: Volume) -> Volume:
        first, last = [0, 0, 0], list(volume.dimensions)
        first[truth.across], last[truth.across] = middle, middle + 1
        return volume.cropped(tuple(first), tuple(last))

    return Example(
        name,
        degradation,
        replace(truth, volume=cut(truth.volume)),
        cut(coarse),
        {method: cut(result) for method, result in results.items()},
        {method: values["psnr_foreground"] for method, values in scores.items()},
    )


def summarise(records: Sequence[Mapping]) -> list[dict]:
    """Return the means over volumes: one dictionary per degradation and method, in the order of ``records``.

    Besides the means of all metrics it has "gain" (dB over B-spline, foreground), "frc_ratio" (cut-off as a multiple of
    B-spline's on the same scan, the mean of the ratios), "volumes" and "below_bspline", how many volumes have a gain
    below 0.
    """
    reference = {
        (record["volume"], record["degradation"]): record for record in records if record["method"] == "bspline"
    }
    groups: dict[tuple[str, str], list[Mapping]] = {}
    for record in records:
        groups.setdefault((record["degradation"], record["method"]), []).append(record)
    summary = []
    for (degradation, method), members in groups.items():
        pairs = [(record, reference[record["volume"], degradation]) for record in members]
        gains = [_gain(record, baseline) for record, baseline in pairs]
        ratios = [r["frc_cutoff"] / b["frc_cutoff"] if b["frc_cutoff"] else float("nan") for r, b in pairs]
        summary.append(
            {
                "degradation": degradation,
                "method": method,
                "volumes": len(members),
                **{key: _mean(members, key) for _, key, _ in COLUMNS if any(key in record for record in members)},
                "gain": float(np.mean(gains)),
                "frc_ratio": float(np.mean(ratios)),
                "below_bspline": sum(gain < 0 for gain in gains),
            }
        )
    return summary


def _mean(records: Sequence[Mapping], key: str) -> float:
    return float(np.mean([record[key] for record in records if key in record]))


def _gain(record: Mapping, baseline: Mapping) -> float:
    return record["psnr_foreground"] - baseline["psnr_foreground"] if record is not baseline else 0.0


def format_table(records: Sequence[Mapping], style: str = "text") -> str:
    """Return the report of an evaluation: means per degradation and method, then every volume's gain over B-spline.

    Args:
        records: those of one ``Evaluation``.
        style: "text" for a terminal, "markdown" for a page.
    """
    lines = []
    for degradation, rows in _by_degradation(summarise(records)).items():
        count = rows[0]["volumes"]
        lines += _heading(f"x{records[0]['factor']}, {degradation}: mean of {count} volume{'s'[: count > 1]}", style)
        cells = [
            [METHOD_LABELS[row["method"]], *(f"{row[key]:{form}}" if key in row else "-" for _, key, form in COLUMNS)]
            for row in rows
        ]
        lines += [*_rendered([["Method", *(title for title, _, _ in COLUMNS)], *cells], style), ""]
    judged = [method for method in ("back-projection", "ours") if any(r["method"] == method for r in records)]
    for method in judged:
        lines += _heading(f"{METHOD_LABELS[method]}: gain over B-spline in dB", style)
        lines += [*_rendered(_gain_rows(records, method), style), ""]
    for row in summarise(records):
        if row["method"] == judged[-1]:
            lines.append(
                f"{row['degradation']}: {METHOD_LABELS[row['method']]} is below B-spline on {row['below_bspline']} of"
                f" {row['volumes']} volumes." + ("  " if style == "markdown" else "")
            )
    lines += [
        "",
        "PSNR (dB), SSIM and MS-SSIM are over the foreground; all: over the whole slices; gain: PSNR over B-spline's.",
        "FRC: up to which frequency the result is right, as a multiple of the input's Nyquist frequency; FRC ratio:",
        "as a multiple of B-spline's. GMS: gradient-magnitude similarity. Noise: the background's SD as a multiple of",
        "the input's. Back-projection is told how the image was degraded, and the Gaussian is the best of eight by the",
        "truth itself; ours is told nothing.",
    ]
    return "\n".join(lines)


def _by_degradation(summary: Sequence[dict]) -> dict[str, list[dict]]:
    return {name: [row for row in summary if row["degradation"] == name] for name in _names(summary, "degradation")}


def _names(records: Sequence[Mapping], key: str) -> list[str]:
    return list(dict.fromkeys(record[key] for record in records))


def _heading(text: str, style: str) -> list[str]:
    return [f"### {text}", ""] if style == "markdown" else [text]


def _gain_rows(records: Sequence[Mapping], method: str) -> list[list[str]]:
    found = {(r["volume"], r["degradation"], r["method"]): r for r in records}
    degradations = _names(records, "degradation")
    rows = [["Volume", *degradations]]
    for volume in _names(records, "volume"):
        pairs = [(found[volume, name, method], found[volume, name, "bspline"]) for name in degradations]
        rows.append([volume, *(f"{_gain(record, baseline):+.2f}" for record, baseline in pairs)])
    return rows


def _rendered(rows: Sequence[list[str]], style: str) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))] for row in rows
    ]
    if style != "markdown":
        return ["  ".join(row) for row in padded]
    rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return ["| " + " | ".join(row) + " |" for row in [padded[0], rule, *padded[1:]]]
