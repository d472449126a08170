"""The step that refines the slice plane: every slice through a network, the measured band held."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...geometry.grid import Box, Grid
from ...geometry.ijk import with_along
from ...geometry.intensity import IntensityScale, as_scalar_type
from ...geometry.resampling import line_resamplers, resampled_lines
from ...geometry.volume import Volume
from ...models.bundles import Model
from ..run import Run, StepResult

if TYPE_CHECKING:
    import torch

    from ..consistency import HeldBand
    from ..grain import Grain

EIGHT_BITS = 127
"""The largest integer weight of 8 bits."""
ON_DEVICE = ("uint8", "int8", "int16", "float32")
"""Scalar types that PyTorch has as numpy has them, and whose values float32 tells apart."""


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
        ensemble: whether the eight flips and turns are averaged. error: whether the expected error is wanted.
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
    error: bool
    hold: bool
    grain: float | None
    chosen_by: str

    @property
    def factors(self) -> tuple[int, int, int]:
        """The network's factor along i, j and k."""
        return with_along((self.model.factor,) * 3, self.slice_axis, 1)

    def _shows_8_bits(self, modality: str | None, largest: int) -> bool:
        """Return whether 8 bits lose more than 0.08 dB on some scan; Documentation/speed.md has what was measured."""
        seven_bits_at_x2 = self.model.factor == 2 and largest < EIGHT_BITS
        return self.model.quality == "fast" and (modality == "CT" or seven_bits_at_x2)

    @property
    def sentence(self) -> str:
        blend = f" at detail {self.detail:g}" if self.model.has_detail else ""
        return f"The slice plane is refined x{self.model.factor} by {self.model.name}{blend}, {self.chosen_by}."

    def run(self, volume: Volume, run: Run, error: Volume | None = None) -> StepResult:
        import torch

        from ...models.devices import slices_at_once
        from ...models.precision import Choice, fastest_precision
        from ...models.precision.onednn import largest_weight
        from ...models.precision.samples import sample_places
        from ..consistency import HeldBand
        from ..grain import Grain
        from ..inference import SliceInference
        from ..shown_slices import ShownSlices, distance_in_pixels

        levels = run.survey.acquired if self.from_band else run.survey.stored
        device = torch.device(run.device.name)
        network = run.load(self.model, self.detail)
        choice = fastest_precision(network, device)
        if choice.precision == "int8" and self._shows_8_bits(run.survey.modality, largest_weight()):
            because = "8 bits lose too much in the fast networks on CT, and in that for x2 where weights have 7 bits"
            choice = Choice(choice.otherwise, choice.otherwise, because)

        def shown_of(part: Volume) -> ShownSlices:
            stack = np.moveaxis(part.voxels, 2 - self.slice_axis, 0)
            apart = distance_in_pixels(volume.spacing, self.slice_axis)
            return ShownSlices(stack, levels.scale, network.neighbours, levels.noise, apart)

        @functools.cache
        def patches() -> torch.Tensor:
            # Of the whole scan, so that a part of it runs with the same scales.
            everything = shown_of(volume)
            places = sample_places(everything.slices)
            return torch.cat([everything(k, k + 1)[..., rows, columns] for k, rows, columns in places])

        def show(call: Callable[..., torch.Tensor]) -> torch.Tensor:
            return call(patches())[:, :1]

        wary = self.model.with_error(network, self.detail, levels.noise, patches) if self.error else None

        inference = SliceInference(
            wary or network,
            device,
            choice.precision,
            show=show,
            otherwise=choice.otherwise,
            ensemble=self.ensemble,
            empty=levels.empty,
            on_tile=run.stop_if_cancelled,
        )
        computed = volume.cropped(*self.computed)
        output = FineSlices(Grid.of(computed), self, levels.scale, run.survey.magnitude)
        held, grain = HeldBand(self.model.held_band, levels.noise), Grain(self.grain)
        squared_deviation = 0.0
        first, last = (corner[self.slice_axis] for corner in self.computed)
        shown = shown_of(self._whole_stack(volume))
        batch = slices_at_once(run.device, shown.slices[0].size)
        run.progress(0, last - first, "Upscaling")
        for start in range(first, last, batch):
            run.stop_if_cancelled()
            seen = shown(start, min(start + batch, last))
            fine, errors = inference(seen)
            if wary is not None:
                errors = wary.by_steepness(errors, fine)
            measured = seen[:, :1].to(fine.device)
            fine, deviation = self._agreeing(fine, measured, held, grain)
            squared_deviation += float(deviation.square().mean(dim=(1, 2, 3)).sum())
            output.put(start - first, fine[:, 0], errors[:, 0])
            run.progress(start - first + len(measured), last - first, "Upscaling")
        fine_volume, fine_error = output.volumes(volume.modality)
        part = {
            "kind": "slice plane",
            "model": self.model.name,
            "model_sha256": self.model.digest(self.detail),
            "detail": self.detail,
            "factors_ijk": list(self.factors),
            "precision": inference.prepared.precision,
            "precision_because": inference.prepared.reason or choice.because,
            "slices": last - first,
            "tiles": inference.tiles,
            "grain": grain.sentence,
            "consistency": {
                "held": self.hold,
                "measured": "the acquired band" if self.from_band else "the stored image",
                **held.report((squared_deviation / (last - first)) ** 0.5),
            },
        }
        return StepResult(fine_volume, part, str(inference.device), inference.warnings, fine_error)

    def _agreeing(
        self, fine: torch.Tensor, measured: torch.Tensor, held: HeldBand, grain: Grain
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``fine`` with the band and the grain of ``measured``, and by how much it still misses the band.

        All of it is linear, so that the fine slices are averaged and added to once.
        """
        from ...acquisition.operators import area_average
        from ...models.networks.cubic import cubic_upsampled
        from ..consistency import upsampled_and_averaged

        factor = self.model.factor
        averaged = area_average(fine, factor)
        added = held.correction(averaged, measured, factor) if self.hold else measured.new_zeros(measured.shape)
        if grain.share != 0:
            added = added + grain.missing(averaged + upsampled_and_averaged(added, factor), measured)
        if added.any():
            fine = cubic_upsampled(added, factor).add_(fine)
            averaged = averaged + upsampled_and_averaged(added, factor)
        return fine, held.missed(averaged, measured)

    def _whole_stack(self, volume: Volume) -> Volume:
        """Return what is computed of the slices, and the same of all others."""
        first, last = self.computed
        return volume.cropped(
            with_along(first, self.slice_axis, 0), with_along(last, self.slice_axis, volume.dimensions[self.slice_axis])
        )


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
        # float32 tells any two neighbours of 16 bits apart.
        self.exact_type = np.float32 if self.type.itemsize <= 2 or self.type == np.float32 else np.float64
        try:
            self.voxels = np.empty(shape, self.type)
            self.error = np.empty(shape, np.float32) if step.error else None
        except MemoryError:
            size = np.prod(shape, dtype=float) * self.type.itemsize / 1e9
            raise InputError(
                f"The result takes {size:.1f} GB, more than the memory holds; choose a region or a smaller factor."
            ) from None
        self.slices = np.moveaxis(self.voxels, self.across, 0)
        self.error_slices = None if self.error is None else np.moveaxis(self.error, self.across, 0)

    def put(self, first: int, fine: torch.Tensor, error: torch.Tensor) -> None:
        """Take the fine slices ``(N, H, W)`` from number ``first`` on, and their expected error; both normalised."""
        chosen = slice(first, first + len(fine))
        self.slices[chosen] = self._stored(fine)
        if self.error_slices is not None:
            np.multiply(self._in_plane(error.cpu().numpy()), self.scale.span, out=self.error_slices[chosen])

    def _stored(self, fine: torch.Tensor) -> np.ndarray:
        """Return fine slices as they are stored. Where no grid forbids it, nothing else leaves their device."""
        import torch

        if self.type.name in ON_DEVICE and isinstance(self.rows, slice) and isinstance(self.columns, slice):
            kind = getattr(torch, self.type.name)
            inside = (fine[:, self.rows, self.columns] * self.scale.span).add_(self.scale.low)
            if self.floor is not None:
                inside.clamp_(min=self.floor)
            if kind != torch.float32:
                inside.round_().clamp_(torch.iinfo(kind).min, torch.iinfo(kind).max)
            return inside.to(kind).cpu().numpy()
        values = self._in_plane(fine.cpu().numpy()).astype(self.exact_type)
        values *= self.scale.span
        values += self.scale.low
        return self._in_type(values, self.type)

    def _in_plane(self, slices: np.ndarray) -> np.ndarray:
        return resampled_lines(resampled_lines(slices, 1, self.rows), 2, self.columns)

    def _in_type(self, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        # A magnitude image has no negative values; ringing below zero is not anatomy.
        return as_scalar_type(values if self.floor is None else np.maximum(values, self.floor), dtype)

    def volumes(self, modality: str | None) -> tuple[Volume, Volume | None]:
        """Return the fine volume, and its expected error where it was asked for."""
        voxels = resampled_lines(self.voxels, self.across, self.across_lines)
        if voxels.dtype != self.final_type:
            voxels = self._in_type(voxels, self.final_type)
        fine = Volume(voxels, self.target.ijk_to_ras, modality)
        if self.error is None:
            return fine, None
        error = resampled_lines(self.error, self.across, self.across_lines)
        # The resampling's kernel has negative lobes.
        if not all(isinstance(lines, slice) for lines in (self.across_lines, self.rows, self.columns)):
            error = np.maximum(error, 0)
        return fine, Volume(error, self.target.ijk_to_ras, modality)
