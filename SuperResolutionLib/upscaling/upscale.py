"""The one entry point: a volume and a request in, a finer volume and a report out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Callable

import numpy as np

from ..acquisition.acquired_band import detect_acquired_band
from ..errors import InputError
from ..geometry.grid import Grid
from ..geometry.volume import Volume
from ..models.devices import choose_device
from ..version import VERSION
from .plan import Plan, UpscaleRequest, plan_upscale
from .run import Run
from .slice_plane import Box, RefinedVolume, describe_band, refine_slice_plane
from .through_slices import adapted_network, refine_through_slices

__all__ = ["UpscaleRequest", "UpscaleResult", "upscale"]


@dataclass(frozen=True)
class UpscaleResult:
    """The finer volume, what was done (JSON-able), and the ensemble's standard deviation where it was asked for."""

    volume: Volume
    report: dict
    uncertainty: Volume | None = None


def upscale(
    volume: Volume,
    request: UpscaleRequest | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> UpscaleResult:
    """Return ``volume`` upscaled as ``request`` asks; the input is not changed.

    The slice plane is refined first, slice by slice, then new slices are made; either step only where it is asked for.

    Args:
        request: None asks for x4 in the slice plane.
        progress: called as ``progress(done, total, message)`` after each slice, and in the second step after each batch
            of reformats; each step counts anew.
        cancelled: polled after each tile, batch and step of adaptation.

    Raises:
        InputError: the volume or the request cannot be served; one sentence says why and what to do.
        Cancelled: ``cancelled()`` returned True.

    Example::

        result = upscale(read_volume("t1.nii.gz"), UpscaleRequest(factor=2))
        write_volume(result.volume, "t1_x2.nrrd")
    """
    began = time.monotonic()
    request = request or UpscaleRequest()
    _check_voxels(volume)
    plan = plan_upscale(volume, request)
    if request.output_type not in ("input", "float"):
        raise InputError(f"The output type is input or float, not {request.output_type}.")
    run = Run(request, choose_device(request.device), progress, cancelled)
    box = _wanted_box(volume, plan, request)
    target = plan.output_grid(volume.cropped(*box))
    if plan.through is None:
        refined = refine_slice_plane(volume, plan, box, target, run)
        report = refined.report
    else:
        refined, report = _with_new_slices(volume, plan, box, target, run)
    used = run.device if str(refined.device) == run.device.name else choose_device(str(refined.device))
    report = {
        "program": f"SuperResolution {VERSION}",
        "quality": request.quality,
        "input": _describe(volume),
        "output": _describe(refined.volume),
        "device": used.name,
        "device_label": used.label,
        "seconds": round(time.monotonic() - began, 2),
        **report,
        "warnings": [*_warnings(volume, plan), *refined.warnings],
    }
    return UpscaleResult(refined.volume, report, refined.uncertainty)


def _with_new_slices(volume: Volume, plan: Plan, box: Box, target: Grid, run: Run) -> tuple[RefinedVolume, dict]:
    """Return the volume after both steps, or the second alone, and the report of them."""
    # With a model for the slice plane, the detail that was asked for is that model's.
    network = plan.through.load(run.request.detail or 0.0 if plan.model is None else 0.0)
    if run.request.adapt:
        network = adapted_network(network, volume, plan, run)
    around = _with_surroundings(volume, box, plan, network)
    if plan.model is None:
        first = None
        source = volume.cropped(*around)
    else:
        unrounded = replace(run, request=replace(run.request, output_type="float"))
        grid = plan.slice_plane_grid(volume.cropped(*around))
        first = refine_slice_plane(volume, plan, around, grid, unrounded)
        source = first.volume
    refined = refine_through_slices(volume, source, plan, target, network, run)
    through = refined.report
    factors = [float(f) for f in np.divide(volume.spacing, refined.volume.spacing).round(4)]
    whole = [int(f) if f == int(f) else f for f in factors]
    if first is None:
        band = detect_acquired_band(volume, plan.slice_axis)
        report = {
            "model": through["model"],
            "model_sha256": through["model_sha256"],
            "detail": 0.0,
            "acquired": describe_band(band, (1, 1, 1), "as stored"),
            "precision": through["precision"],
            "slices": 0,
            "tiles": 0,
            "data_consistency": through["data_consistency"],
        }
        return refined, {**report, "factors_ijk": whole, "through_plane": through}
    report = {
        **first.report,
        "model": f"{first.report['model']} and {through['model']}",
        "model_sha256": f"{first.report['model_sha256']} and {through['model_sha256']}",
    }
    warnings = [*first.warnings, *refined.warnings]
    return replace(refined, warnings=warnings), {**report, "factors_ijk": whole, "through_plane": through}


def _with_surroundings(volume: Volume, box: Box, plan: Plan, network) -> Box:
    """Return ``box`` with the voxels around it that the network through the slices looks at."""
    first, last = [], []
    for axis, (low, high, size) in enumerate(zip(*box, volume.dimensions)):
        margin = network.slice_halo if axis == plan.slice_axis else -(-network.halo // plan.factors[axis])
        first.append(max(0, low - margin))
        last.append(min(size, high + margin))
    return tuple(first), tuple(last)


def _check_voxels(volume: Volume) -> None:
    if not np.isfinite(volume.voxels).all():
        raise InputError("The volume holds NaN or infinite voxels; replace them (by 0, say) and try again.")
    if volume.voxels.min() == volume.voxels.max():
        raise InputError("All voxels of the volume are equal, so there is nothing to upscale; choose another volume.")


def _wanted_box(volume: Volume, plan: Plan, request: UpscaleRequest) -> Box:
    """Return the index box, first and last (excluded) along i, j and k, of the voxels that were asked for."""
    first, last = request.box or ((0, 0, 0), volume.dimensions)
    if not all(0 <= low < high <= size for low, high, size in zip(first, last, volume.dimensions)):
        size = " x ".join(map(str, volume.dimensions))
        raise InputError(f"There is no box from index {first} to {last}; choose one within {size} voxels.")
    if request.region is not None:
        if request.box is not None:
            raise InputError("Give either a region in mm or a box of indices, not both.")
        if len(request.region) != 6 or not np.isfinite(request.region).all():
            raise InputError("A region is six numbers in mm, R,A,S of one corner and R,A,S of the opposite one.")
        first, last = volume.box_of_region(request.region)
    return tuple(first), tuple(last)


def _describe(volume: Volume) -> dict:
    return {
        "dimensions_ijk": list(volume.dimensions),
        "spacing_mm_ijk": [round(value, 6) for value in volume.spacing],
        "scalar_type": str(volume.voxels.dtype),
    }


def _warnings(volume: Volume, plan: Plan) -> list[str]:
    warnings = []
    modality = volume.modality or ("CT" if volume.voxels.min() <= -500 else None)
    for model in filter(None, (plan.model, plan.through)):
        if modality and modality != model.modality:
            warnings.append(f"The model {model.name} was trained on {model.modality}, and this is {modality}.")
    if volume.is_sheared:
        warnings.append("The volume's axes are not at right angles; the result is sheared in the same way.")
    return warnings
