"""The step that refines the slice plane: every slice through a network, the measured band held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...geometry.grid import Box, Grid
from ...geometry.ijk import with_along
from ...geometry.intensity import IntensityScale, as_scalar_type
from ...geometry.resampling import line_resamplers, resampled_lines
from ...geometry.volume import Volume
from ...models.bundles import Model
from ..run import Run, StepResult


@dataclass(frozen=True)
class RefineSlicePlane:
    """Refines the slices, then resamples them once where the grid asks for it.

    Attributes:
        model: whose network runs. detail: how its two weight sets are blended, in [0, 1].
        slice_axis: the axis across the slices, 0, 1, 2 for i, j, k.
        computed: the voxels of the step's input that are run, their surroundings included.
        grid: of the result, with the slices' number and place of the input unless a spacing was asked for.
        from_band: whether the input is the scan's acquired band, else the scan as it is stored.
        scalar_type: of the result, as numpy names it.
        ensemble: whether the eight flips and turns are averaged. spread: whether their SD is wanted.
        hold: whether the measured band is held.
        grain: the share of the grain that is added back; None as of ``grain.Grain``.
        chosen_by: why this model, in words.
    """

    model: Model
    detail: float
    slice_axis: int
    computed: Box
    grid: Grid
    from_band: bool
    scalar_type: str
    ensemble: bool
    spread: bool
    hold: bool
    grain: float | None
    chosen_by: str

    @property
    def factors(self) -> tuple[int, int, int]:
        """The network's factor along i, j and k."""
        return with_along((self.model.factor,) * 3, self.slice_axis, 1)

    @property
    def sentence(self) -> str:
        blend = f" at detail {self.detail:g}" if self.model.has_detail else ""
        return f"The slice plane is refined x{self.model.factor} by {self.model.name}{blend}, {self.chosen_by}."

    def run(self, volume: Volume, run: Run) -> StepResult:
        import torch

        from ...models.precision import fastest_precision
        from ..consistency import HeldBand
        from ..grain import Grain
        from ..inference import SliceInference

        levels = run.survey.acquired if self.from_band else run.survey.stored
        device = torch.device(run.device.name)
        inference = SliceInference(
            run.load(self.model, self.detail),
            device,
            fastest_precision(device),
            ensemble=self.ensemble,
            empty=levels.empty,
            on_tile=run.stop_if_cancelled,
        )
        computed = volume.cropped(*self.computed)
        output = FineSlices(Grid.of(computed), self, levels.scale, run.survey.magnitude)
        held, grain = HeldBand(self.model.held_band, levels.noise), Grain(self.grain)
        squared_deviation = 0.0
        slices = np.moveaxis(computed.voxels, 2 - self.slice_axis, 0)
        batch = 1 if run.device.name == "cpu" else 8
        run.progress(0, len(slices), "Upscaling")
        for start in range(0, len(slices), batch):
            run.stop_if_cancelled()
            measured = torch.from_numpy(levels.scale.normalise(slices[start : start + batch]))[:, None]
            fine, spread = inference(measured)
            if self.hold:
                fine = held.project(fine, measured, self.model.factor)
            fine = grain.added(fine, measured, self.model.factor)
            deviation = held.deviation(fine, measured, self.model.factor)
            squared_deviation += float(deviation.square().mean(dim=(1, 2, 3)).sum())
            output.put(start, fine[:, 0].numpy(), spread[:, 0].numpy())
            run.progress(start + len(measured), len(slices), "Upscaling")
        fine_volume, uncertainty = output.volumes(volume.modality)
        part = {
            "kind": "slice plane",
            "model": self.model.name,
            "model_sha256": self.model.digest(self.detail),
            "detail": self.detail,
            "factors_ijk": list(self.factors),
            "precision": str(inference.precision).replace("torch.", ""),
            "slices": len(slices),
            "tiles": inference.tiles,
            "grain": grain.sentence,
            "consistency": {
                "held": self.hold,
                "measured": "the acquired band" if self.from_band else "the stored image",
                **held.report((squared_deviation / len(slices)) ** 0.5),
            },
        }
        return StepResult(fine_volume, part, str(inference.device), inference.warnings, uncertainty)


class FineSlices:
    """Collects fine slices on the output grid, in the output's units and type.

    Args:
        computed: the grid of the coarse voxels whose refinement is put; it may reach beyond ``step.grid``.
        scale: of the fine slices. magnitude: whether negative values are impossible.
    """

    def __init__(self, computed: Grid, step: RefineSlicePlane, scale: IntensityScale, magnitude: bool):
        self.target, self.scale = step.grid, scale
        self.across = 2 - step.slice_axis
        self.final_type = np.dtype(step.scalar_type)
        self.floor = 0 if magnitude else None
        fine = computed.refined(step.factors)
        lines = line_resamplers(fine, self.target)
        self.across_lines = lines.pop(step.slice_axis)
        self.columns, self.rows = lines
        slices_stay = isinstance(self.across_lines, slice)
        shape = list(reversed(self.target.dimensions))
        shape[self.across] = fine.dimensions[step.slice_axis]
        self.type = self.final_type if slices_stay else np.dtype(np.float32)
        try:
            self.voxels = np.empty(shape, self.type)
            self.spread = np.empty(shape, np.float32) if step.spread else None
        except MemoryError:
            size = np.prod(shape, dtype=float) * self.type.itemsize / 1e9
            raise InputError(
                f"The result takes {size:.1f} GB, more than the memory holds; choose a region or a smaller factor."
            ) from None
        self.slices = np.moveaxis(self.voxels, self.across, 0)
        self.spread_slices = None if self.spread is None else np.moveaxis(self.spread, self.across, 0)

    def put(self, first: int, fine: np.ndarray, spread: np.ndarray) -> None:
        """Take the fine slices ``(N, H, W)`` from number ``first`` on, and the ensemble's SD; both normalised."""
        chosen = slice(first, first + len(fine))
        self.slices[chosen] = self._in_type(self.scale.denormalise(self._in_plane(fine)), self.type)
        if self.spread_slices is not None:
            self.spread_slices[chosen] = self._in_plane(spread) * self.scale.span

    def _in_plane(self, slices: np.ndarray) -> np.ndarray:
        return resampled_lines(resampled_lines(slices, 1, self.rows), 2, self.columns)

    def _in_type(self, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        # A magnitude image has no negative values; ringing below zero is not anatomy.
        return as_scalar_type(values if self.floor is None else np.maximum(values, self.floor), dtype)

    def volumes(self, modality: str | None) -> tuple[Volume, Volume | None]:
        """Return the fine volume, and the SD where it was asked for."""
        voxels = resampled_lines(self.voxels, self.across, self.across_lines)
        if voxels.dtype != self.final_type:
            voxels = self._in_type(voxels, self.final_type)
        fine = Volume(voxels, self.target.ijk_to_ras, modality)
        if self.spread is None:
            return fine, None
        spread = resampled_lines(self.spread, self.across, self.across_lines)
        return fine, Volume(spread, self.target.ijk_to_ras, modality)
