"""The step that makes new slices: thick slices made thin, by a network on the reformats that cut across them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...geometry.grid import Box, Grid
from ...geometry.ijk import with_along
from ...geometry.intensity import as_scalar_type
from ...geometry.resampling import line_resamplers, resampled_lines
from ...geometry.volume import Volume
from ...models.bundles import Model
from ..run import Run, StepResult

SMALLEST_SPACING = 1.25
"""The lowest slice spacing, in pixels, that the network was trained with; below it, it is told this one."""
ERRORS_ALIKE = 0.25
"""The correlation of the slices' errors with those of the rows between them, as the network goes on from the former:
with it, as many voxels of the validation volumes lie within the intervals as are said to."""


def of_both(rows: np.ndarray, slices: np.ndarray) -> np.ndarray:
    """Return the expected error of rows between slices that are themselves off, float32 of any one shape.

    Args:
        rows: the expected error if the slices were right. slices: theirs, interpolated to the rows.
    """
    return np.sqrt(rows * rows + slices * slices + np.float32(2 * ERRORS_ALIKE) * rows * slices)


@dataclass(frozen=True)
class MakeNewSlices:
    """Predicts rows between the slices as close as the slice plane's pixels, or closer, and averages them to the grid.

    Attributes:
        model: whose network runs. detail: of its weights, in [0, 1].
        slice_axis: the axis across the slices, 0, 1, 2 for i, j, k.
        box: the voxels of the step's input that are run, their surroundings included.
        grid: of the result; its rows along the slice axis lie between the slices.
        thickness: of the slices, mm. thickness_from: who says so, in words.
        adapt: whether the network learns from the scan's own slices first.
        stored_plane: whether the slices are the stored ones, else they were refined before.
        scalar_type: of the result, as numpy names it.
        ensemble: whether the four flips are averaged. error: whether the expected error is wanted.
        hold: whether the acquired slices are held.
        level: whether bands of brightness are taken out, else they are put back. The network never sees them.
    """

    model: Model
    detail: float
    slice_axis: int
    box: Box
    grid: Grid
    thickness: float
    thickness_from: str
    adapt: bool
    stored_plane: bool
    scalar_type: str
    ensemble: bool
    error: bool
    hold: bool
    level: bool

    @property
    def sentence(self) -> str:
        adapted = ", adapted to this scan" * self.adapt
        return (
            f"New slices are made by {self.model.name}{adapted}, between slices {self.thickness:.3g} mm thick"
            f" (says {self.thickness_from})."
        )

    def run(self, volume: Volume, run: Run, error: Volume | None = None) -> StepResult:
        import torch

        from ...models.precision import fastest_precision
        from ..adaptation import adapt
        from ..consistency import HeldSlices
        from ..reformats import ReformatInference, shown

        levels, across = run.survey.stored, 2 - self.slice_axis
        scale, device = levels.scale, torch.device(run.device.name)
        network = run.load(self.model, self.detail)
        bands, adapted = run.survey.slice_bands, False
        if self.adapt:
            scan = run.survey.seen
            stack = np.moveaxis(scan.voxels, across, 0)
            if bands is not None:
                stack = bands.gains(Grid.of(scan)).levelled(stack)
            learnt = adapt(
                network,
                scale.normalise(stack),
                self._slice_spacings(Grid.of(scan)),
                self.thickness / scan.spacing[self.slice_axis],
                levels.noise,
                device,
                run.progress,
                run.stop_if_cancelled,
            )
            adapted, network = learnt is not network, learnt
        if self.error:
            network = self.model.with_error(network, self.detail, levels.noise)
        source = volume.cropped(*self.box)
        slice_spacing = source.spacing[self.slice_axis]
        thickness = self.thickness / slice_spacing
        spacings = self._slice_spacings(Grid.of(source))
        rows = _Rows.of(Grid.of(source), self.grid, self.slice_axis, max(spacings))
        stack = np.moveaxis(source.voxels, across, 0)
        gains = None if bands is None else bands.gains(Grid.of(source))
        slices = scale.normalise(stack if gains is None else gains.levelled(stack))
        choice = fastest_precision(network, device)
        whole = np.moveaxis(volume.voxels, across, 0)
        inference = ReformatInference(
            network,
            device,
            choice.precision,
            show=shown(network, whole, scale.normalise, spacings, thickness, levels.noise),
            otherwise=choice.otherwise,
            ensemble=self.ensemble,
            empty=levels.empty if self.stored_plane else None,
            on_batch=run.stop_if_cancelled,
            on_progress=run.progress,
        )
        lowest = scale.zero if run.survey.magnitude else None
        try:
            fine, errors = inference(slices, spacings, thickness, torch.from_numpy(rows.places), levels.noise)
            held = HeldSlices(rows.places, len(slices), thickness, self.model.held_band, levels.noise, lowest)
            if self.hold:
                held.project(fine, slices)
            residual = held.residual(fine, slices)
            fine *= np.float32(scale.span)
            fine += np.float32(scale.low)
            if errors is not None:
                errors *= np.float32(scale.span)
            if gains is not None and not self.level:
                gains.put_back(fine, rows.places)
                if errors is not None:
                    gains.put_back(errors, rows.places)
            if errors is not None and error is not None:
                of_slices = np.moveaxis(error.cropped(*self.box).voxels, across, 0)
                errors = of_both(errors, rows.between(of_slices))
            fine = np.moveaxis(fine, 0, across)
            errors = None if errors is None else np.moveaxis(errors, 0, across)
            for which, line in enumerate(line_resamplers(rows.grid(Grid.of(source), self.slice_axis), self.grid)):
                fine = resampled_lines(fine, 2 - which, line)
                errors = None if errors is None else resampled_lines(errors, 2 - which, line)
            if run.survey.magnitude:
                np.maximum(fine, 0, out=fine)
            voxels = as_scalar_type(fine, np.dtype(self.scalar_type))
        except MemoryError:
            size = np.prod(self.grid.dimensions, dtype=float) * 4 / 1e9
            raise InputError(
                f"The result takes {size:.1f} GB while it is made, more than the memory holds; choose a region or a"
                " coarser spacing."
            ) from None
        part = {
            "kind": "new slices",
            "model": self.model.name,
            "model_sha256": self.model.digest(self.detail),
            "detail": self.detail,
            "factor": round(slice_spacing / float(self.grid.spacing[self.slice_axis]), 4),
            "slice_spacing_mm": round(slice_spacing, 6),
            "thickness_mm": round(self.thickness, 6),
            "thickness_from": self.thickness_from,
            "adapted": adapted,
            "precision": inference.prepared.precision,
            "precision_because": inference.prepared.reason or choice.because,
            "reformats": inference.reformats,
            "slice_bands": "none" if bands is None else "taken out" if self.level else "put back",
            "consistency": {"held": self.hold, "measured": "the acquired slices", **held.report(residual)},
        }
        warnings = list(inference.warnings)
        if self.adapt and not adapted:
            warnings.append(
                "What the network learnt from the scan's slices made it no better on those that it had not learnt from,"
                " so it ran as it was."
            )
        if bands is not None:
            outcome = "it is taken out" if self.level else "the result keeps it; --level takes it out"
            warnings.append(f"{bands.sentence[:-1]}; {outcome}.")
        apart = slice_spacing / min(source.spacing)
        if apart > 1.01 * self.model.factor:
            warnings.append(
                f"The slices are {apart:.1f} pixels apart; the model {self.model.name} knows up to"
                f" {self.model.factor}, so what lies between them is a guess beyond its training."
            )
        result = Volume(voxels, self.grid.ijk_to_ras, source.modality)
        if errors is not None:
            # The resampling's kernel has negative lobes.
            error = Volume(np.maximum(errors, 0), self.grid.ijk_to_ras, source.modality)
        return StepResult(result, part, str(inference.device), warnings, error)

    def _slice_spacings(self, grid: Grid) -> tuple[float, float]:
        """Return the distance of the slices in pixels along their two dimensions, within what the network knows."""
        pixels = [float(grid.spacing[axis]) for axis in (2, 1, 0) if axis != self.slice_axis]
        distance = float(grid.spacing[self.slice_axis])
        along_h, along_w = (min(max(distance / pixel, SMALLEST_SPACING), float(self.model.factor)) for pixel in pixels)
        return along_h, along_w


@dataclass(frozen=True)
class _Rows:
    """Where the predicted rows lie: evenly, over all slices, some of them (or groups of them) those of the target.

    ``places`` are in slices from the first one's centre, float64.
    """

    places: np.ndarray

    @classmethod
    def of(cls, source: Grid, target: Grid, axis: int, wanted: float) -> _Rows:
        """Return rows for ``target``, about ``wanted`` or more of them to a slice."""
        step = target.spacing[axis] / source.spacing[axis]
        first = np.linalg.solve(source.ijk_to_ras[:3, :3], target.ijk_to_ras[:3, 3] - source.ijk_to_ras[:3, 3])[axis]
        split = max(1, round(wanted * step))
        first, step = first - step * (split - 1) / (2 * split), step / split
        slices = source.dimensions[axis]
        # On to where a row's voxel would end beyond the first and the last slice.
        before = int(np.floor((first + 0.5) / step - 0.5 + 1e-6))
        count = int(np.floor((slices - 0.5 - first) / step + 0.5 + 1e-6)) + before
        count = max(count, before + split * target.dimensions[axis])
        return cls(first + step * (np.arange(count) - before))

    def between(self, slices: np.ndarray) -> np.ndarray:
        """Return ``(R, H, W)``, ``(K, H, W)`` slices interpolated linearly; past the ends the last one repeats."""
        places = self.places.clip(0, len(slices) - 1)
        below = np.minimum(places.astype(int), max(0, len(slices) - 2))
        share = (places - below).astype(np.float32)[:, None, None]
        return slices[below] * (1 - share) + slices[np.minimum(below + 1, len(slices) - 1)] * share

    def grid(self, source: Grid, axis: int) -> Grid:
        """Return the grid of the rows in the slice plane of ``source``."""
        matrix = source.ijk_to_ras.copy()
        matrix[:3, 3] += matrix[:3, axis] * self.places[0]
        if len(self.places) > 1:
            matrix[:3, axis] *= self.places[1] - self.places[0]
        return Grid(matrix, with_along(source.dimensions, axis, len(self.places)))
