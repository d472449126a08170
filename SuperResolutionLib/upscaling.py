"""The one entry point: a volume and a request in, a finer volume and a report out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch

from .acquired_band import AcquiredBand, crop_to_band, detect_acquired_band
from .consistency import HeldBand, noise_level
from .devices import choose_device, fastest_precision
from .errors import Cancelled, InputError
from .inference import SliceInference
from .intensity import IntensityScale, as_scalar_type
from .planning import Plan, UpscaleRequest, plan_from_band, plan_upscale
from .resampling import Grid, line_resamplers, resampled_lines
from .version import VERSION
from .volume import Volume, refined_matrix

__all__ = ["UpscaleRequest", "UpscaleResult", "upscale"]

CONTEXT = 16
"""Coarse voxels around a region that the held band's low-pass may look at, on top of the network's halo."""


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

    A zero-filled scan is first cropped to its acquired band (see ``acquired_band``), which is what the network gets and
    what data consistency then holds; the output grid is the one that was asked for all the same.

    Args:
        request: None asks for x4 in the slice plane.
        progress: called as ``progress(done, total, message)`` after each slice.
        cancelled: polled after each tile.

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
    asked = plan_upscale(volume, request)
    if request.output_type not in ("input", "float"):
        raise InputError(f"The output type is input or float, not {request.output_type}.")
    band = detect_acquired_band(volume, asked.slice_axis)
    source, plan = volume, asked
    if band.zero_filled and not request.as_stored:
        source, plan = crop_to_band(volume, band), plan_from_band(asked, band, request)
    model = plan.model
    detail = model.default_detail if request.detail is None else float(request.detail)
    network = model.load(detail)
    device = choose_device(request.device)

    def stop_if_cancelled() -> None:
        if cancelled():
            raise Cancelled

    scale = IntensityScale.of(source.voxels)
    inference = SliceInference(
        network,
        torch.device(device.name),
        fastest_precision(torch.device(device.name)),
        ensemble=request.quality == "best" or request.uncertainty,
        empty=_empty_value(source, scale),
        on_tile=stop_if_cancelled,
    )
    first, last = _wanted_box(volume, asked, request)
    computed = _with_context(source, volume.dimensions, first, last, plan, network.halo)
    target = _output_grid(volume.cropped(first, last), asked)
    output = _Output(computed, target, plan, scale, request, bool(volume.voxels.min() >= 0))
    held = HeldBand(model.held_band, noise_level(_sample_slices(source, plan, scale)))
    squared_deviation = 0.0
    slices = np.moveaxis(computed.voxels, 2 - plan.slice_axis, 0)
    batch = 1 if device.name == "cpu" else 8
    progress(0, len(slices), "Upscaling")
    for start in range(0, len(slices), batch):
        stop_if_cancelled()
        measured = torch.from_numpy(scale.normalise(slices[start : start + batch]))[:, None]
        fine, spread = inference(measured)
        if request.consistency:
            fine = held.project(fine, measured, model.factor)
        squared_deviation += float(held.deviation(fine, measured, model.factor).square().mean(dim=(1, 2, 3)).sum())
        output.put(start, fine[:, 0].numpy(), spread[:, 0].numpy())
        progress(start + len(measured), len(slices), "Upscaling")
    fine_volume, uncertainty = output.volumes()
    used = device if inference.device == torch.device(device.name) else choose_device(str(inference.device))
    report = {
        "program": f"SuperResolution {VERSION}",
        "model": model.name,
        "model_sha256": model.digest(detail),
        "detail": detail,
        "quality": request.quality,
        "factors_ijk": list(asked.factors if asked.final_spacing is None else plan.factors),
        "input": _describe(volume),
        "output": _describe(fine_volume),
        "acquired": _describe_band(band, request, plan),
        "device": used.name,
        "device_label": used.label,
        "precision": str(inference.precision).replace("torch.", ""),
        "seconds": round(time.monotonic() - began, 2),
        "slices": len(slices),
        "tiles": inference.tiles,
        "data_consistency": {
            "held": request.consistency,
            "measured": "the acquired band" if source is not volume else "the stored image",
            "operator": "voxel average, Gaussian low-pass",
            "band": f"below {model.held_band:g} of its Nyquist frequency, down to the noise",
            "noise_percent": round(100 * held.noise, 3),
            "residual_percent": round(100 * (squared_deviation / len(slices)) ** 0.5, 4),
        },
        "warnings": [*_warnings(volume, plan), *inference.warnings],
    }
    return UpscaleResult(fine_volume, report, uncertainty)


class _Output:
    """Collects fine slices on the output grid, in the output's units and type.

    Args:
        computed: the coarse voxels whose refinement by ``plan.factors`` is put; it may reach beyond ``target``.
        target: the output grid.
        magnitude: whether negative values are impossible.
    """

    def __init__(
        self,
        computed: Volume,
        target: Grid,
        plan: Plan,
        scale: IntensityScale,
        request: UpscaleRequest,
        magnitude: bool,
    ):
        self.target, self.scale, self.modality = target, scale, computed.modality
        self.across = 2 - plan.slice_axis
        self.final_type = np.dtype(np.float32) if request.output_type == "float" else computed.voxels.dtype
        self.floor = 0 if magnitude else None
        fine = Grid(
            refined_matrix(computed.ijk_to_ras, plan.factors), tuple(np.multiply(computed.dimensions, plan.factors))
        )
        lines = line_resamplers(fine, target)
        self.across_lines = lines.pop(plan.slice_axis)
        self.columns, self.rows = lines
        slices_stay = isinstance(self.across_lines, slice)
        shape = list(reversed(target.dimensions))
        shape[self.across] = fine.dimensions[plan.slice_axis]
        self.type = self.final_type if slices_stay else np.dtype(np.float32)
        try:
            self.voxels = np.empty(shape, self.type)
            self.spread = np.empty(shape, np.float32) if request.uncertainty else None
        except MemoryError:
            size = np.prod(shape, dtype=float) * self.type.itemsize / 1e9
            raise InputError(
                f"The result takes {size:.1f} GB, more than the memory holds; choose a region or a smaller factor."
            ) from None
        self.slices = np.moveaxis(self.voxels, self.across, 0)
        self.spread_slices = np.moveaxis(self.spread, self.across, 0) if request.uncertainty else None

    def put(self, first: int, fine: np.ndarray, spread: np.ndarray) -> None:
        chosen = slice(first, first + len(fine))
        self.slices[chosen] = self._in_type(self.scale.denormalise(self._in_plane(fine)), self.type)
        if self.spread is not None:
            self.spread_slices[chosen] = self._in_plane(spread) * self.scale.span

    def _in_plane(self, slices: np.ndarray) -> np.ndarray:
        return resampled_lines(resampled_lines(slices, 1, self.rows), 2, self.columns)

    def _in_type(self, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        # A magnitude image has no negative values; ringing below zero is not anatomy.
        return as_scalar_type(values if self.floor is None else np.maximum(values, self.floor), dtype)

    def volumes(self) -> tuple[Volume, Volume | None]:
        voxels = resampled_lines(self.voxels, self.across, self.across_lines)
        if voxels.dtype != self.final_type:
            voxels = self._in_type(voxels, self.final_type)
        fine = Volume(voxels, self.target.ijk_to_ras, self.modality)
        if self.spread is None:
            return fine, None
        spread = resampled_lines(self.spread, self.across, self.across_lines)
        return fine, Volume(spread, self.target.ijk_to_ras, self.modality)


def _check_voxels(volume: Volume) -> None:
    if not np.isfinite(volume.voxels).all():
        raise InputError("The volume holds NaN or infinite voxels; replace them (by 0, say) and try again.")
    if volume.voxels.min() == volume.voxels.max():
        raise InputError("All voxels of the volume are equal, so there is nothing to upscale; choose another volume.")


def _empty_value(volume: Volume, scale: IntensityScale) -> float | None:
    """Return the normalised value around the patient: that of the volume's eight corners, if they agree."""
    corners = volume.voxels[:: max(1, volume.voxels.shape[0] - 1)][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    return float(scale.normalise(corners[:1, 0])[0]) if (corners == corners.flat[0]).all() else None


def _wanted_box(
    volume: Volume, plan: Plan, request: UpscaleRequest
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the index box, first and last (excluded) along i, j and k, of the voxels that were asked for."""
    first, last = (0, 0, 0), volume.dimensions
    if request.region is not None:
        if len(request.region) != 6 or not np.isfinite(request.region).all():
            raise InputError("A region is six numbers in mm, R,A,S of one corner and R,A,S of the opposite one.")
        first, last = volume.box_of_region(request.region)
    if request.slices is not None:
        first, last = list(first), list(last)
        start, end = request.slices
        if not first[plan.slice_axis] <= start <= end < last[plan.slice_axis]:
            raise InputError(
                f"There are no slices {start} to {end}; choose from {first[plan.slice_axis]} to"
                f" {last[plan.slice_axis] - 1}."
            )
        first[plan.slice_axis], last[plan.slice_axis] = start, end + 1
    return tuple(first), tuple(last)


def _with_context(
    source: Volume,
    stored: tuple[int, int, int],
    first: tuple[int, int, int],
    last: tuple[int, int, int],
    plan: Plan,
    halo: int,
) -> Volume:
    """Return the part of ``source`` to compute: all that the box of stored voxels touches, and in-plane context.

    Args:
        stored: dimensions of the stored volume, whose index box ``first`` to ``last`` was asked for.
    """
    low, high = [], []
    for axis, (size, count) in enumerate(zip(source.dimensions, stored)):
        margin = 0 if axis == plan.slice_axis else halo + CONTEXT
        low.append(max(0, first[axis] * size // count - margin))
        high.append(min(size, -(-last[axis] * size // count) + margin))
    return source.cropped(tuple(low), tuple(high))


def _output_grid(wanted: Volume, asked: Plan) -> Grid:
    if asked.final_spacing:
        return Grid(wanted.ijk_to_ras, wanted.dimensions).at_spacing(asked.final_spacing)
    dimensions = tuple(size * factor for size, factor in zip(wanted.dimensions, asked.factors))
    return Grid(refined_matrix(wanted.ijk_to_ras, asked.factors), dimensions)


def _sample_slices(volume: Volume, plan: Plan, scale: IntensityScale, most: int = 16) -> torch.Tensor:
    slices = np.moveaxis(volume.voxels, 2 - plan.slice_axis, 0)
    chosen = np.unique(np.linspace(0, len(slices) - 1, most).round().astype(int))
    return torch.from_numpy(scale.normalise(slices[chosen]))[:, None]


def _describe(volume: Volume) -> dict:
    return {
        "dimensions_ijk": list(volume.dimensions),
        "spacing_mm_ijk": [round(value, 6) for value in volume.spacing],
        "scalar_type": str(volume.voxels.dtype),
    }


def _describe_band(band: AcquiredBand, request: UpscaleRequest, plan: Plan) -> dict:
    return {
        "stored_mm": [round(value, 6) for value in band.spacing],
        "acquired_mm": [round(value, 6) for value in band.acquired_spacing],
        "zero_filled": band.zero_filled,
        "used": "acquired band" if band.zero_filled and not request.as_stored else "as stored",
        "network_factors_ijk": list(plan.factors),
        "sentence": band.sentence(request.as_stored),
    }


def _warnings(volume: Volume, plan: Plan) -> list[str]:
    warnings = []
    modality = volume.modality or ("CT" if volume.voxels.min() <= -500 else None)
    if modality and modality != plan.model.modality:
        warnings.append(f"The model {plan.model.name} was trained on {plan.model.modality}, and this is {modality}.")
    if volume.is_sheared:
        warnings.append("The volume's axes are not at right angles; the result is sheared in the same way.")
    return warnings
