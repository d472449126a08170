"""Through the slices: thick slices made thin, by a network on the two sets of reformats that cut across them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from ..acquisition.noise import noise_level
from ..errors import InputError
from ..geometry.grid import Grid
from ..geometry.intensity import IntensityScale, as_scalar_type
from ..geometry.resampling import line_resamplers, resampled_lines
from ..geometry.volume import Volume
from ..models.devices import is_out_of_memory
from ..models.precision import fastest_precision
from .adaptation import adapt
from .consistency import HeldSlices
from .plan import Plan
from .run import Run
from .slice_plane import RefinedVolume, empty_value, sample_slices

SMALLEST_SPACING = 1.25
"""The lowest slice spacing, in pixels, that the network was trained with; below it, it is told this one."""
PIXELS_AT_ONCE = {"cpu": 2**15}
"""Pixels of a batch of reformats, by device; on a CPU the activations of larger ones fall out of its caches."""


def refine_through_slices(
    volume: Volume, source: Volume, plan: Plan, target: Grid, network: torch.nn.Module, run: Run
) -> RefinedVolume:
    """Return ``source`` on the grid ``target``, whose rows along the slice axis lie between the slices.

    The rows are predicted as close as the slice plane's pixels, or closer; a coarser target is averaged from them.

    Args:
        volume: the whole scan, as stored: its units, scalar type and noise are the result's.
        source: slices whose plane is as fine as it is to become; beyond ``target`` it may have surroundings.
        network: a ``ThroughPlaneNet`` in evaluation mode; ``adapted_network`` may have fine-tuned it.

    Raises:
        InputError: the result does not fit into the memory.
        Cancelled: asked for after each batch of reformats.
    """
    request, scale = run.request, IntensityScale.of(volume.voxels)
    axis, across = plan.slice_axis, 2 - plan.slice_axis
    slice_spacing = source.spacing[axis]
    spacings = _slice_spacings(source, plan)
    thickness = plan.thickness / slice_spacing
    slices = scale.normalise(np.moveaxis(source.voxels, across, 0))
    noise = noise_level(sample_slices(volume, axis, scale))
    rows = _Rows.of(source, target, axis, max(spacings))
    inference = ReformatInference(
        network,
        torch.device(run.device.name),
        fastest_precision(torch.device(run.device.name)),
        ensemble=request.quality == "best" or request.uncertainty,
        spread=request.uncertainty,
        empty=empty_value(volume, scale) if plan.model is None else None,
        on_batch=run.stop_if_cancelled,
        on_progress=run.progress,
    )
    try:
        fine, spread = inference(slices, spacings, thickness, torch.from_numpy(rows.places))
        held = HeldSlices(rows.places, len(slices), thickness, noise, scale.zero if volume.is_magnitude else None)
        if request.consistency:
            held.project(fine, slices)
        residual = held.residual(fine, slices)
        fine = np.moveaxis(fine * np.float32(scale.span) + np.float32(scale.low), 0, across)
        spread = None if spread is None else np.moveaxis(spread * np.float32(scale.span), 0, across)
        grid = rows.grid(source, axis)
        lines = line_resamplers(grid, target)
        for which, line in enumerate(lines):
            fine = resampled_lines(fine, 2 - which, line)
            spread = None if spread is None else resampled_lines(spread, 2 - which, line)
        if volume.is_magnitude:
            np.maximum(fine, 0, out=fine)
        voxels = as_scalar_type(fine, np.float32 if request.output_type == "float" else volume.voxels.dtype)
    except MemoryError:
        size = np.prod(target.dimensions, dtype=float) * 4 / 1e9
        raise InputError(
            f"The result takes {size:.1f} GB while it is made, more than the memory holds; choose a region or a coarser"
            " spacing."
        ) from None
    report = {
        "model": plan.through.name,
        "model_sha256": plan.through.digest(0.0),
        "factor": round(slice_spacing / target.spacing[axis], 4),
        "slice_spacing_mm": round(slice_spacing, 6),
        "thickness_mm": round(plan.thickness, 6),
        "thickness_from": plan.thickness_from,
        "adapted": request.adapt,
        "precision": str(inference.precision).replace("torch.", ""),
        "reformats": inference.reformats,
        "data_consistency": {
            "held": request.consistency,
            "operator": "Gaussian slice profile of that thickness",
            "tolerance_percent": round(100 * held.tolerance, 3),
            "residual_percent": round(100 * residual, 4),
        },
    }
    warnings = list(inference.warnings)
    apart = slice_spacing / min(source.spacing)
    if apart > 1.01 * plan.through.factor:
        warnings.append(
            f"The slices are {apart:.1f} pixels apart; the model {plan.through.name} knows up to"
            f" {plan.through.factor}, so what lies between them is a guess beyond its training."
        )
    uncertainty = None if spread is None else Volume(spread, target.ijk_to_ras, source.modality)
    return RefinedVolume(
        Volume(voxels, target.ijk_to_ras, source.modality), report, inference.device, warnings, uncertainty
    )


def adapted_network(network: torch.nn.Module, volume: Volume, plan: Plan, run: Run) -> torch.nn.Module:
    """Return ``network`` adapted to the slices of the whole ``volume``; see ``adaptation.adapt``."""
    scale = IntensityScale.of(volume.voxels)
    slices = scale.normalise(np.moveaxis(volume.voxels, 2 - plan.slice_axis, 0))
    thickness = plan.thickness / volume.spacing[plan.slice_axis]
    spacings = _slice_spacings(volume, plan)
    return adapt(
        network, slices, spacings, thickness, torch.device(run.device.name), run.progress, run.stop_if_cancelled
    )


def _slice_spacings(volume: Volume, plan: Plan) -> tuple[float, float]:
    """Return the distance of the slices in pixels along the slices' two dimensions, within what the network knows."""
    pixels = [volume.spacing[axis] for axis in (2, 1, 0) if axis != plan.slice_axis]
    distance = volume.spacing[plan.slice_axis]
    return tuple(min(max(distance / pixel, SMALLEST_SPACING), float(plan.through.factor)) for pixel in pixels)


@dataclass(frozen=True)
class _Rows:
    """Where the predicted rows lie: evenly, over all slices, some of them (or groups of them) those of the target.

    ``places`` are in slices from the first one's centre, float64.
    """

    places: np.ndarray

    @classmethod
    def of(cls, source: Volume, target: Grid, axis: int, wanted: float) -> _Rows:
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

    def grid(self, source: Volume, axis: int) -> Grid:
        """Return the grid of the rows in the slice plane of ``source``."""
        matrix = source.ijk_to_ras.copy()
        matrix[:3, 3] += matrix[:3, axis] * self.places[0]
        if len(self.places) > 1:
            matrix[:3, axis] *= self.places[1] - self.places[0]
        dimensions = list(source.dimensions)
        dimensions[axis] = len(self.places)
        return Grid(matrix, tuple(dimensions))


@dataclass
class ReformatInference:
    """Runs a ``ThroughPlaneNet`` on both sets of reformats through a stack of slices, and averages the two.

    Args:
        network: see ``networks.ThroughPlaneNet``. device, precision: as of ``inference.SliceInference``.
        ensemble: average the four flips of each reformat. spread: also return the SD of all answers to a voxel.
        empty: the value outside the patient where it is exactly constant, else None: rows and columns of the slices
            that hold nothing else are not computed.
        on_batch: called after each batch; may raise to stop. on_progress: as ``progress`` of ``upscaling.upscale``.

    Attributes:
        reformats: reformats run so far. warnings: what memory forced it to change, in words.
    """

    network: torch.nn.Module
    device: torch.device
    precision: torch.dtype = torch.float32
    ensemble: bool = False
    spread: bool = False
    empty: float | None = None
    on_batch: Callable[[], None] = lambda: None
    on_progress: Callable[[int, int, str], None] = lambda done, total, message: None
    reformats: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self):
        self._pixels_at_once = PIXELS_AT_ONCE.get(self.device.type, 2**19)
        self._place(self.device, self.precision)

    def _place(self, device: torch.device, precision: torch.dtype) -> None:
        self.device, self.precision = device, precision
        self._placed = copy.deepcopy(self.network).to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(
        self, slices: np.ndarray, spacings: tuple[float, float], thickness: float, places: torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the fine rows ``(R, H, W)`` float32, and the SD of the answers where it was asked for.

        Args:
            slices: ``(K, H, W)`` float32, normalised.
            spacings: of the slices, in pixels along H and along W.
            thickness: FWHM of the slice profile as a share of the spacing.
            places: ``(R,)``, as of ``ThroughPlaneNet``.
        """
        fine = np.zeros((len(places), *slices.shape[1:]), np.float32)
        squares = np.zeros_like(fine) if self.spread else None
        top, bottom, left, right = self._filled(slices)
        views = [array[:, top:bottom, left:right] for array in (slices, fine)]
        square_view = None if squares is None else squares[:, top:bottom, left:right]
        total, done = sum(views[0].shape[1:]), 0
        self.on_progress(0, total, "Refining through the slices")
        for dimension, spacing in ((1, spacings[1]), (2, spacings[0])):
            # Reformats along W lie one behind the other along H, and the other way round.
            coarse, target = (np.moveaxis(view, dimension, 0) for view in views)
            square = None if square_view is None else np.moveaxis(square_view, dimension, 0)
            start = 0
            while start < len(coarse):
                most = max(1, self._pixels_at_once // coarse[0].size)
                batch = torch.from_numpy(np.ascontiguousarray(coarse[start : start + most]))[:, None]
                try:
                    answers = self._answers(batch, spacing, thickness, places)
                except RuntimeError as error:
                    if not is_out_of_memory(error):
                        raise
                    self._save_memory(len(batch), error)
                    continue
                chosen = slice(start, start + len(batch))
                for answer in answers:
                    target[chosen] += answer / (2 * len(answers))
                    if square is not None:
                        square[chosen] += answer**2 / (2 * len(answers))
                start += len(batch)
                done += len(batch)
                self.reformats += len(batch)
                self.on_batch()
                self.on_progress(done, total, "Refining through the slices")
        if self.empty is not None:
            for outside in (fine[:, :top], fine[:, bottom:], fine[:, :, :left], fine[:, :, right:]):
                outside[:] = self.empty
        if squares is None:
            return fine, None
        return fine, np.sqrt(np.maximum(squares - fine**2, 0))

    def _filled(self, slices: np.ndarray) -> tuple[int, int, int, int]:
        """Return first and last (excluded) row and column of the slices to compute."""
        height, width = slices.shape[1:]
        if self.empty is None:
            return 0, height, 0, width
        filled = (slices != self.empty).any(axis=0)
        rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
        if not len(rows):
            return 0, 0, 0, 0
        halo = self.network.halo
        return (
            max(0, rows[0] - halo),
            min(height, rows[-1] + 1 + halo),
            max(0, columns[0] - halo),
            min(width, columns[-1] + 1 + halo),
        )

    def _answers(self, batch: torch.Tensor, spacing: float, thickness: float, places: torch.Tensor) -> list[np.ndarray]:
        """Return the network's answers ``(N, R, W)`` to a batch of reformats ``(N, 1, K, W)`` and to its flips."""
        flips = [(), (-1,), (-2,), (-2, -1)] if self.ensemble else [()]
        answers = []
        for flip in flips:
            turned_places = (batch.shape[-2] - 1 - places).flip(0) if -2 in flip else places
            reformats = batch.flip(flip).to(self.device, memory_format=torch.channels_last)
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                answer = self._placed(reformats, spacing, thickness, turned_places.float())
            answers.append(answer.flip(flip)[:, 0].cpu().numpy())
        return answers

    def _save_memory(self, reformats: int, error: RuntimeError) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if reformats > 1:
            self._pixels_at_once //= 2
            self.warnings.append(f"Memory ran out on {self.device}; fewer reformats were run at once.")
        elif self.device.type != "cpu":
            self.warnings.append(f"Memory ran out on {self.device} even with single reformats; the CPU went on.")
            self._place(torch.device("cpu"), torch.float32)
        else:
            raise error
