"""The one entry point: a volume and a request in, a finer volume and a report out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch

from .consistency import HeldBand, noise_level
from .devices import choose_device, fastest_precision
from .errors import Cancelled, InputError
from .inference import SliceInference
from .intensity import IntensityScale, as_scalar_type
from .planning import Plan, UpscaleRequest, plan_upscale
from .resampling import resample_to_spacing
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
    plan = plan_upscale(volume, request)
    if request.output_type not in ("input", "float"):
        raise InputError(f"The output type is input or float, not {request.output_type}.")
    model = plan.model
    detail = model.default_detail if request.detail is None else float(request.detail)
    network = model.load(detail)
    device = choose_device(request.device)

    def stop_if_cancelled() -> None:
        if cancelled():
            raise Cancelled

    scale = IntensityScale.of(volume.voxels)
    inference = SliceInference(
        network,
        torch.device(device.name),
        fastest_precision(torch.device(device.name)),
        ensemble=request.quality == "best" or request.uncertainty,
        empty=_empty_value(volume, scale),
        on_tile=stop_if_cancelled,
    )
    computed, wanted = _boxes(volume, plan, request, network.halo)
    output = _Output(computed, wanted, plan, scale, request, bool(volume.voxels.min() >= 0))
    held = HeldBand(model.held_band, noise_level(_sample_slices(volume, plan, scale)))
    squared_deviation = 0.0
    slices = np.moveaxis(computed.voxels, 2 - plan.slice_axis, 0)
    batch = 1 if device.name == "cpu" else 8
    progress(0, len(slices), "Upscaling")
    for first in range(0, len(slices), batch):
        stop_if_cancelled()
        measured = torch.from_numpy(scale.normalise(slices[first : first + batch]))[:, None]
        fine, spread = inference(measured)
        if request.consistency:
            fine = held.project(fine, measured, model.factor)
        squared_deviation += float(held.deviation(fine, measured, model.factor).square().mean(dim=(1, 2, 3)).sum())
        output.put(first, fine[:, 0].numpy(), spread[:, 0].numpy())
        progress(first + len(measured), len(slices), "Upscaling")
    fine_volume, uncertainty = output.volumes()
    report = {
        "program": f"SuperResolution {VERSION}",
        "model": model.name,
        "model_sha256": model.digest(detail),
        "detail": detail,
        "quality": request.quality,
        "factors_ijk": list(plan.factors),
        "input": _describe(volume),
        "output": _describe(fine_volume),
        "device": device.name,
        "device_label": device.label,
        "precision": str(inference.precision).replace("torch.", ""),
        "seconds": round(time.monotonic() - began, 2),
        "slices": len(slices),
        "tiles": inference.tiles,
        "data_consistency": {
            "held": request.consistency,
            "operator": "voxel average, Gaussian low-pass",
            "band": f"below {model.held_band:g} of the input's Nyquist frequency, down to the noise",
            "noise_percent": round(100 * held.noise, 3),
            "residual_percent": round(100 * (squared_deviation / len(slices)) ** 0.5, 4),
        },
        "warnings": [*_warnings(volume, plan), *inference.warnings],
    }
    return UpscaleResult(fine_volume, report, uncertainty)


class _Output:
    """Collects fine slices into the output grid, in the output's units and type, and drops a region's context."""

    def __init__(
        self,
        computed: Volume,
        wanted: Volume,
        plan: Plan,
        scale: IntensityScale,
        request: UpscaleRequest,
        magnitude: bool,
    ):
        self.plan, self.scale, self.wanted = plan, scale, wanted
        self.final_type = np.dtype(np.float32) if request.output_type == "float" else wanted.voxels.dtype
        self.type = np.dtype(np.float32) if plan.final_spacing else self.final_type
        self.floor = 0 if magnitude else None
        offset = np.linalg.solve(computed.ijk_to_ras[:3, :3], wanted.ijk_to_ras[:3, 3] - computed.ijk_to_ras[:3, 3])
        shape = np.array(wanted.voxels.shape) * plan.factors[::-1]
        start = np.rint(offset).astype(int)[::-1] * plan.factors[::-1]
        across = 2 - plan.slice_axis
        self.window = tuple(slice(start[n], start[n] + shape[n]) for n in range(3) if n != across)
        try:
            self.voxels = np.empty(shape, self.type)
            self.spread = np.empty(shape, np.float32) if request.uncertainty else None
        except MemoryError:
            size = np.prod(shape, dtype=float) * self.type.itemsize / 1e9
            raise InputError(
                f"The result takes {size:.1f} GB, more than the memory holds; choose a region or a smaller factor."
            ) from None
        self.slices = np.moveaxis(self.voxels, across, 0)
        self.spread_slices = np.moveaxis(self.spread, across, 0) if request.uncertainty else None

    def put(self, first: int, fine: np.ndarray, spread: np.ndarray) -> None:
        window = (slice(None), *self.window)
        chosen = slice(first, first + len(fine))
        self.slices[chosen] = self._in_type(self.scale.denormalise(fine[window]), self.type)
        if self.spread is not None:
            self.spread_slices[chosen] = spread[window] * self.scale.span

    def _in_type(self, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        # A magnitude image has no negative values; ringing below zero is not anatomy.
        return as_scalar_type(values if self.floor is None else np.maximum(values, self.floor), dtype)

    def volumes(self) -> tuple[Volume, Volume | None]:
        matrix = refined_matrix(self.wanted.ijk_to_ras, self.plan.factors)
        volumes = [Volume(self.voxels, matrix, self.wanted.modality)]
        if self.spread is not None:
            volumes.append(Volume(self.spread, matrix, self.wanted.modality))
        if self.plan.final_spacing:
            volumes = [resample_to_spacing(volume, self.plan.final_spacing) for volume in volumes]
            fine = volumes[0]
            volumes[0] = Volume(self._in_type(fine.voxels, self.final_type), fine.ijk_to_ras, fine.modality)
        return volumes[0], volumes[1] if len(volumes) > 1 else None


def _check_voxels(volume: Volume) -> None:
    if not np.isfinite(volume.voxels).all():
        raise InputError("The volume holds NaN or infinite voxels; replace them (by 0, say) and try again.")
    if volume.voxels.min() == volume.voxels.max():
        raise InputError("All voxels of the volume are equal, so there is nothing to upscale; choose another volume.")


def _empty_value(volume: Volume, scale: IntensityScale) -> float | None:
    """Return the normalised value around the patient: that of the volume's eight corners, if they agree."""
    corners = volume.voxels[:: max(1, volume.voxels.shape[0] - 1)][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    return float(scale.normalise(corners[:1, 0])[0]) if (corners == corners.flat[0]).all() else None


def _boxes(volume: Volume, plan: Plan, request: UpscaleRequest, halo: int) -> tuple[Volume, Volume]:
    """Return the part of the volume to compute and the part that was asked for; they differ by in-plane context."""
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
    context = [0 if axis == plan.slice_axis else halo + CONTEXT for axis in range(3)]
    wide_first = tuple(max(0, low - margin) for low, margin in zip(first, context))
    wide_last = tuple(min(size, high + margin) for high, margin, size in zip(last, context, volume.dimensions))
    return volume.cropped(wide_first, wide_last), volume.cropped(tuple(first), tuple(last))


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


def _warnings(volume: Volume, plan: Plan) -> list[str]:
    warnings = []
    modality = volume.modality or ("CT" if volume.voxels.min() <= -500 else None)
    if modality and modality != plan.model.modality:
        warnings.append(f"The model {plan.model.name} was trained on {plan.model.modality}, and this is {modality}.")
    if volume.is_sheared:
        warnings.append("The volume's axes are not at right angles; the result is sheared in the same way.")
    return warnings
