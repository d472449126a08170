"""The slice plane: every slice through a network, with the acquired band as input and the measured band held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..acquisition.acquired_band import AcquiredBand, crop_to_band, detect_acquired_band
from ..acquisition.noise import noise_level
from ..errors import InputError
from ..geometry.grid import Grid
from ..geometry.intensity import IntensityScale, as_scalar_type
from ..geometry.resampling import line_resamplers, resampled_lines
from ..geometry.volume import Volume, refined_matrix
from ..models.precision import fastest_precision
from .consistency import HeldBand
from .inference import SliceInference
from .plan import Plan, UpscaleRequest, plan_from_band
from .run import Run

CONTEXT = 16
"""Coarse voxels around a region that the held band's low-pass may look at, on top of the network's halo."""

Box = tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class RefinedVolume:
    """What one step of refinement gives: the volume, its report, where it ran in the end and why, and the SD."""

    volume: Volume
    report: dict
    device: torch.device
    warnings: list[str]
    uncertainty: Volume | None = None


def refine_slice_plane(volume: Volume, asked: Plan, box: Box, target: Grid, run: Run) -> RefinedVolume:
    """Return the slices of ``volume`` refined as ``asked`` says.

    A zero-filled scan is first cropped to its acquired band (see ``acquired_band``), which is what the network gets and
    what data consistency then holds; the output grid is the one that was asked for all the same.

    Args:
        box: first and last index (excluded) along i, j and k of the voxels to refine; their surroundings are looked at.
        target: the grid to return, over that box.

    Raises:
        Cancelled: asked for after each tile.
    """
    request = run.request
    band = detect_acquired_band(volume, asked.slice_axis)
    source, plan = volume, asked
    if band.zero_filled and not request.as_stored:
        source, plan = crop_to_band(volume, band), plan_from_band(asked, band, request)
    model = plan.model
    detail = model.default_detail if request.detail is None else float(request.detail)
    network = model.load(detail)
    scale = IntensityScale.of(source.voxels)
    inference = SliceInference(
        network,
        torch.device(run.device.name),
        fastest_precision(torch.device(run.device.name)),
        ensemble=request.quality == "best" or request.uncertainty,
        empty=empty_value(source, scale),
        on_tile=run.stop_if_cancelled,
    )
    first, last = box
    computed = _with_context(source, volume.dimensions, first, last, plan, network.halo)
    output = FineSlices(computed, target, plan, scale, request, volume.is_magnitude)
    held = HeldBand(model.held_band, noise_level(sample_slices(source, plan.slice_axis, scale)))
    squared_deviation = 0.0
    slices = np.moveaxis(computed.voxels, 2 - plan.slice_axis, 0)
    batch = 1 if run.device.name == "cpu" else 8
    run.progress(0, len(slices), "Upscaling")
    for start in range(0, len(slices), batch):
        run.stop_if_cancelled()
        measured = torch.from_numpy(scale.normalise(slices[start : start + batch]))[:, None]
        fine, spread = inference(measured)
        if request.consistency:
            fine = held.project(fine, measured, model.factor)
        squared_deviation += float(held.deviation(fine, measured, model.factor).square().mean(dim=(1, 2, 3)).sum())
        output.put(start, fine[:, 0].numpy(), spread[:, 0].numpy())
        run.progress(start + len(measured), len(slices), "Upscaling")
    fine_volume, uncertainty = output.volumes()
    report = {
        "model": model.name,
        "model_sha256": model.digest(detail),
        "detail": detail,
        "factors_ijk": list(asked.factors if asked.final_spacing is None else plan.factors),
        "acquired": describe_band(band, plan.factors, "acquired band" if source is not volume else "as stored"),
        "precision": str(inference.precision).replace("torch.", ""),
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
    }
    return RefinedVolume(fine_volume, report, inference.device, inference.warnings, uncertainty)


class FineSlices:
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


def empty_value(volume: Volume, scale: IntensityScale) -> float | None:
    """Return the normalised value around the patient: that of the volume's eight corners, if they agree."""
    corners = volume.voxels[:: max(1, volume.voxels.shape[0] - 1)][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    return float(scale.normalise(corners[:1, 0])[0]) if (corners == corners.flat[0]).all() else None


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


def sample_slices(volume: Volume, slice_axis: int, scale: IntensityScale, most: int = 16) -> torch.Tensor:
    """Return ``(N, 1, H, W)``: up to ``most`` slices, evenly spread, normalised."""
    slices = np.moveaxis(volume.voxels, 2 - slice_axis, 0)
    chosen = np.unique(np.linspace(0, len(slices) - 1, most).round().astype(int))
    return torch.from_numpy(scale.normalise(slices[chosen]))[:, None]


def describe_band(band: AcquiredBand, factors: tuple[int, int, int], used: str) -> dict:
    """Return the report's entry on the acquired band; ``used`` is "acquired band" or "as stored"."""
    return {
        "stored_mm": [round(value, 6) for value in band.spacing],
        "acquired_mm": [round(value, 6) for value in band.acquired_spacing],
        "zero_filled": band.zero_filled,
        "used": used,
        "network_factors_ijk": list(factors),
        "sentence": band.sentence(used == "as stored"),
    }
