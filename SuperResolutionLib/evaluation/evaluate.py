"""How much better than interpolation a result is: true scans degraded by known operators, upscaled, and scored."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from torch.nn import functional as F

from ..errors import InputError
from ..files.reading import read_volume
from ..geometry.ijk import with_along
from ..geometry.volume import Volume
from .methods import METHOD_LABELS, Upscaler, upscaled
from .metrics import background_deviation, foreground, score
from .truths import DEGRADATIONS, Truth, choose_slices, degrade, truth_for


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
            "kspace" plus noise of 2 % and 5 % of the robust range, Rician or, where voxels are negative as in a CT,
            of a CT kernel's grain; and "kspace-soft", which is "kspace" of a scan softer than its grid, and is
            scored against that soft scan (``truth_for``).
        ours: the method under test, ``ours(coarse stack, factors i, j, k, step) -> fine volume`` of every
            ``step``-th slice of the stack; it is not told the degradation. None scores the interpolations alone.
        plane: the axes of the slices, such as "ik", or one such entry per file name; default, and for files without
            an entry: across the coarsest spacing (``slice_axis``).
        most_slices: slices scored of a scan, evenly spaced over those with content. ``ours`` sees those between, too.
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
    records: list[dict] = []
    examples = []
    for name, path in zip(names, paths):
        wanted = plane.get(name) if isinstance(plane, Mapping) else plane
        try:
            sharp = choose_slices(read_volume(path), factor, wanted, most_slices)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        mask = foreground(sharp.scale.normalise(sharp.slices_of(sharp.volume)))
        for degradation in degradations:
            truth = truth_for(sharp, degradation)
            stack = degrade(truth, degradation, seed)
            coarse = truth.chosen(stack)
            results, scores = {}, {}
            for method in methods:
                progress(len(records), total, f"{name}, {degradation}: {METHOD_LABELS[method]}")
                began = time.monotonic()
                results[method] = upscaled(truth, stack, degradation, method, mask, ours)
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
        first = with_along((0, 0, 0), truth.across, middle)
        return volume.cropped(first, with_along(volume.dimensions, truth.across, middle + 1))

    return Example(
        name,
        degradation,
        replace(truth, stack=cut(truth.volume), step=1),
        cut(coarse),
        {method: cut(result) for method, result in results.items()},
        {method: values["psnr_foreground"] for method, values in scores.items()},
    )
