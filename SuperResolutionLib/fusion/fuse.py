"""The way from several scans to one volume: survey, place, level, expect, solve, report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..acquisition.survey import Survey, survey
from ..errors import Cancelled, InputError
from ..geometry.grid import Box, Grid
from ..geometry.ijk import ijk
from ..geometry.intensity import as_scalar_type
from ..geometry.resampling import resample_to_spacing
from ..geometry.volume import Volume
from ..models.devices import choose_device
from ..upscaling.report import SCHEMA_VERSION, describe_survey, describe_volumes, peak_memory_bytes, program
from ..upscaling.request import UpscaleRequest
from ..upscaling.upscale import upscale
from ..upscaling.wish import ISOTROPIC_WITHIN
from .extent import fused_grid
from .levelling import Gain, level, places_of, smoothed_samples
from .measuring import MARGIN, Measuring, Sampling, quick_size, reach_of
from .placing import Placement, place
from .prior import Answer, Prior, prior_of
from .report import decisions, fusion_step
from .request import EXTENTS, MOTIONS, FuseRequest
from .solving import Evidence, solve
from .surroundings import box_within, mean_of_scans, patient_box
from .trust import fit_of, weigh

ITERATIONS = (2, 3)
"""Of conjugate gradients: before it is seen which slices do not fit, and after."""
STAGES = 1 + sum(ITERATIONS)
LEAST_NOISE = 0.005
"""Of the reference's range: closer than this no scan is matched, since no operator is known so well."""
LEVELLING_SPACING = 1.5
"""Of the grid on which brightness is compared, in thicknesses of the thickest slices."""


@dataclass(frozen=True)
class FuseResult:
    """What came out.

    Attributes:
        volume: the one volume. report: what was done, JSON-able. surveys: of the scans.
    """

    volume: Volume
    report: dict
    surveys: tuple[Survey, ...]


def fuse(
    volumes: list[Volume],
    request: FuseRequest | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> FuseResult:
    """Return one isotropic volume out of several scans of one patient in one contrast; none of them is changed.

    The first is the reference: its place, its units and its scalar type are the result's.

    Args:
        progress: called as ``progress(done, total, message)``; each step counts anew.
        cancelled: polled all along.

    Raises:
        InputError: the scans or the request cannot be served; one sentence says why and what to do.
        Cancelled: ``cancelled()`` returned True.

    Example::

        result = fuse([read_volume(name) for name in ("tra.nrrd", "cor.nrrd", "sag.nrrd")])
        write_volume(result.volume, "fused.nrrd")
    """
    began = time.monotonic()
    request = request or FuseRequest()
    _check(request)
    if len(volumes) < 2:
        raise InputError("Fusing takes two scans or more of one patient; give another, or upscale the one.")

    def stop_if_cancelled() -> None:
        if cancelled():
            raise Cancelled

    def on_step(done: int, total: int, message: str) -> None:
        stop_if_cancelled()
        progress(done, total, message)

    surveys = [_surveyed(volume, number) for number, volume in enumerate(volumes, 1)]
    seen = [each.seen for each in surveys]
    placements = place(seen, request.motion != "none", request.force, False, on_step)
    placed = [placement.placed(volume) for placement, volume in zip(placements, seen)]
    grid = fused_grid(placed, request.spacing or min(min(volume.spacing) for volume in placed), request.extent)
    coarse = fused_grid(placed, LEVELLING_SPACING * max(max(volume.spacing) for volume in placed), "union")
    samples = [smoothed_samples(volume, coarse) for volume in placed]
    gains = level(samples, places_of(coarse))
    patient = patient_box(samples, coarse, grid)
    placed = [_by(gain, volume) for gain, volume in zip(gains, placed)]
    if request.motion != "none":
        # A smooth bias pulls at the first registration: the second one sees none.
        again = place(placed, True, request.force, True, on_step)
        placed = [finer.placed(volume) for finer, volume in zip(again, placed)]
        placements = [
            finer if finer.likeness is None else Placement.by(finer.movement @ coarser.movement, volume, finer.likeness)
            for finer, coarser, volume in zip(again, placements, seen)
        ]
    span, inner = surveys[0].stored.scale.span, grid.cropped(patient)
    reach = max(reach_of(inner, _sampling(found, Grid.of(volume))) for found, volume in zip(surveys, placed))
    fine, before = _with_margin(inner, reach)
    boxes = [box_within(volume, fine, max(volume.spacing)) for volume in placed]
    answers, networks, warnings = _answers(surveys, placed, boxes, request, on_step, cancelled)
    on_step(0, STAGES, "Putting the scans together")
    prior = prior_of(answers, fine, span, stop_if_cancelled, request.all_detail)
    del answers
    evidence = [
        _evidence(found, volume, box, fine, gain) for found, volume, box, gain in zip(surveys, placed, boxes, gains)
    ]
    fused, done = prior.mean, 1
    missed = [each.misses(fused) for each in evidence]
    for iterations in ITERATIONS:
        for each, rest, found in zip(evidence, missed, surveys):
            weigh(each, rest, LEAST_NOISE * span, 2 - found.slice_axis)
        on_step(done, STAGES, "Putting the scans together")

        def on_iteration() -> None:
            nonlocal done
            done += 1
            on_step(done, STAGES, "Putting the scans together")

        fused = solve(prior.mean, prior.doubt, evidence, fused, missed, iterations, on_iteration)
    fused = prior.held_back(fused)
    missed = [each.misses(fused) for each in evidence]
    fits = [
        fit_of(each, rest, 2 - found.slice_axis, box[0][found.slice_axis])
        for each, rest, found, box in zip(evidence, missed, surveys, boxes)
    ]
    whole = mean_of_scans(placed, grid, float(surveys[0].seen.voxels.min()))
    _put_in(whole, patient, fused, prior, before)
    volume = _as_scan(whole, grid, surveys[0], request)
    device = choose_device(request.device)
    report = {
        "schema_version": SCHEMA_VERSION,
        "program": program(),
        "quality": "standard",
        **describe_volumes(surveys[0].volume, volume),
        "survey": describe_survey(surveys[0], takes_band=False),
        "decisions": decisions(placements, gains, fits, prior.agreed, grid, request),
        "steps": [fusion_step(surveys, placements, gains, fits, networks, span)],
        "device": device.name,
        "device_label": device.label,
        "seconds": round(time.monotonic() - began, 2),
        "peak_memory_bytes": peak_memory_bytes(),
        "warnings": warnings,
    }
    return FuseResult(volume, report, tuple(surveys))


def _check(request: FuseRequest) -> None:
    if request.motion not in MOTIONS:
        raise InputError(f"What moved is one of {', '.join(MOTIONS)}, not {request.motion}.")
    if request.extent not in EXTENTS:
        raise InputError(f"The extent is one of {', '.join(EXTENTS)}, not {request.extent}.")
    if request.spacing is not None and not 0 < request.spacing < math.inf:
        raise InputError("The spacing of the result is a positive number in mm, such as 1 or 0.5.")
    if request.output_type not in ("input", "float"):
        raise InputError(f"The output type is input or float, not {request.output_type}.")


def _surveyed(volume: Volume, number: int) -> Survey:
    if volume.is_sheared:
        raise InputError(
            f"Scan {number} is sheared, its axes not at right angles; resample it to a straight grid first."
        )
    found = survey(volume)
    if found.flaw:
        raise InputError(f"Scan {number}: {found.flaw[0].lower()}{found.flaw[1:]}")
    if found.label_map:
        raise InputError(f"Scan {number} is a mask or a label map; fuse the images alone.")
    return found


def _answers(
    surveys: list[Survey],
    placed: list[Volume],
    boxes: list[Box],
    request: FuseRequest,
    progress: Callable[[int, int, str], None],
    cancelled: Callable[[], bool],
) -> tuple[list[Answer], list[dict], list[str]]:
    """Return each scan's answer in its box, the parts of the networks that ran, and what they warned of."""
    answers, parts, warnings = [], [], []
    for number, (found, volume, box) in enumerate(zip(surveys, placed, boxes), 1):
        normal = volume.ijk_to_ras[:3, found.slice_axis] / volume.spacing[found.slice_axis]
        isotropic = max(volume.spacing) < ISOTROPIC_WITHIN * min(volume.spacing)
        if isotropic:
            fine = volume.cropped(*box)
        elif request.sharpen:
            wanted = UpscaleRequest(factor=None, isotropic=True, output_type="float", device=request.device, box=box)
            result = upscale(
                replace(volume, slice_axis=found.slice_axis, slice_thickness=found.thickness),
                wanted,
                _of_scan(progress, f"Scan {number} of {len(surveys)}"),
                cancelled,
            )
            fine = result.volume
            parts += result.report["steps"]
            warnings += [f"Scan {number}: {words}" for words in result.report["warnings"]]
        else:
            fine = resample_to_spacing(volume.cropped(*box), (min(volume.spacing),) * 3)
        answers.append(Answer(fine, normal, found.thickness))
    return answers, parts, warnings


def _of_scan(progress: Callable[[int, int, str], None], which: str) -> Callable[[int, int, str], None]:
    def tell(done: int, total: int, message: str) -> None:
        progress(done, total, f"{which}: {message[0].lower()}{message[1:]}")

    return tell


def _with_margin(grid: Grid, reach: int) -> tuple[Grid, tuple[int, int, int]]:
    """Return the grid on which is solved, and where in it the result begins (i, j, k)."""
    dimensions = ijk(quick_size(size + 2 * (MARGIN + reach)) for size in grid.dimensions)
    before = ijk((wide - size) // 2 for wide, size in zip(dimensions, grid.dimensions))
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ np.array(before, dtype=float)
    return Grid(matrix, dimensions), before


def _put_in(whole: np.ndarray, patient: Box, fused: torch.Tensor, prior: Prior, before: tuple[int, int, int]) -> None:
    """Put what was solved for into its box of ``whole``, wherever a scan covers it."""
    first, last = patient
    inside = tuple(slice(low, high) for low, high in zip(first[::-1], last[::-1]))
    solved = tuple(slice(start, start + high - low) for start, low, high in zip(before[::-1], first[::-1], last[::-1]))
    whole[inside] = np.where(prior.cover[solved].numpy() > 0, fused[solved].numpy(), whole[inside])


def _as_scan(voxels: np.ndarray, grid: Grid, first: Survey, request: FuseRequest) -> Volume:
    if first.magnitude:
        np.maximum(voxels, 0, out=voxels)
    scalar_type = first.volume.voxels.dtype if request.output_type == "input" else np.dtype(np.float32)
    return Volume(as_scalar_type(voxels, scalar_type), grid.ijk_to_ras, first.modality)


def _by(gain: Gain, volume: Volume) -> Volume:
    return replace(volume, voxels=volume.voxels.astype(np.float32) / gain.of(Grid.of(volume)))


def _sampling(found: Survey, grid: Grid) -> Sampling:
    return Sampling(grid, found.slice_axis, found.thickness, ijk(found.band.acquired_spacing))


def _evidence(found: Survey, volume: Volume, box: Box, fine: Grid, gain: Gain) -> Evidence:
    """Return what the part of a placed and levelled scan in ``box`` says."""
    part = volume.cropped(*box)
    counted = _counted(part, fine)
    if found.absent is not None:
        counted &= ~found.absent.mask[tuple(slice(low, high) for low, high in zip(box[0][::-1], box[1][::-1]))]
    return Evidence(
        Measuring(fine, _sampling(found, Grid.of(part))),
        torch.from_numpy(part.voxels.astype(np.float32)),
        found.stored.noise * found.stored.scale.span / gain.typical,
        torch.from_numpy(counted.astype(np.float32)),
    )


def _counted(volume: Volume, fine: Grid) -> np.ndarray:
    """Return which voxels of a scan lie in the fine grid, but for its margin: ``(k, j, i)`` bool."""
    to_fine = np.linalg.solve(fine.ijk_to_ras, volume.ijk_to_ras)
    i, j, k = (np.arange(size, dtype=float) for size in volume.dimensions)
    counted = np.ones(volume.voxels.shape, bool)
    for row, size in zip(to_fine, fine.dimensions):
        at = row[2] * k[:, None, None] + row[1] * j[:, None] + row[0] * i + row[3]
        counted &= (at > MARGIN - 0.5) & (at < size - MARGIN - 0.5)
    return counted
