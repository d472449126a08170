"""A network over reformats, the cuts across thick slices: both sets of them, averaged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from ..models.devices import is_out_of_memory
from ..models.networks import Network, neighbour_offsets

PIXELS_AT_ONCE = {"cpu": 2**15}
"""Pixels of a batch of reformats, by device; on a CPU the activations of larger ones fall out of its caches."""


@dataclass(frozen=True)
class _Told:
    """What a ``ThroughPlaneNet`` is told of one set of reformats."""

    spacing: float
    thickness: float
    noise: float
    apart: float


@dataclass
class ReformatInference:
    """Runs a ``ThroughPlaneNet`` on both sets of reformats through a stack of slices, and averages the two.

    Args:
        network: a ``networks.ThroughPlaneNet``. device, precision: as of ``inference.SliceInference``.
        ensemble: average the four flips of each reformat. spread: also return the SD of all answers to a voxel.
        empty: the value outside the patient where it is exactly constant, else None: rows and columns of the slices
            that hold nothing else are not computed.
        on_batch: called after each batch; may raise to stop. on_progress: as ``progress`` of ``upscaling.upscale``.

    Attributes:
        reformats: reformats run so far. warnings: what memory forced it to change, in words.
    """

    network: Network
    device: torch.device
    precision: torch.dtype = torch.float32
    ensemble: bool = False
    spread: bool = False
    empty: float | None = None
    on_batch: Callable[[], None] = lambda: None
    on_progress: Callable[[int, int, str], None] = lambda done, total, message: None
    reformats: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pixels_at_once = PIXELS_AT_ONCE.get(self.device.type, 2**19)
        self._place(self.device, self.precision)

    def _place(self, device: torch.device, precision: torch.dtype) -> None:
        self.device, self.precision = device, precision
        # PyTorch's own types leave memory_format out.
        self._placed = copy.deepcopy(self.network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(
        self,
        slices: np.ndarray,
        spacings: tuple[float, float],
        thickness: float,
        places: torch.Tensor,
        noise: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the fine rows ``(R, H, W)`` float32, and the SD of the answers where it was asked for.

        Args:
            slices: ``(K, H, W)`` float32, normalised.
            spacings: of the slices, in pixels along H and along W.
            thickness: FWHM of the slice profile as a share of the spacing.
            places: ``(R,)``, as of ``ThroughPlaneNet``.
            noise: its SD in the slices, normalised.
        """
        fine = np.zeros((len(places), *slices.shape[1:]), np.float32)
        squares = np.zeros_like(fine) if self.spread else None
        top, bottom, left, right = self._filled(slices)
        views = [array[:, top:bottom, left:right] for array in (slices, fine)]
        square_view = None if squares is None else squares[:, top:bottom, left:right]
        total, done = sum(views[0].shape[1:]), 0
        self.on_progress(0, total, "Refining through the slices")
        for dimension, spacing, other in ((1, spacings[1], spacings[0]), (2, spacings[0], spacings[1])):
            # Reformats along W lie one behind the other along H, and the other way round.
            coarse, target = (np.moveaxis(view, dimension, 0) for view in views)
            square = None if square_view is None else np.moveaxis(square_view, dimension, 0)
            told = _Told(spacing, thickness, noise, spacing / other if len(coarse) > 1 else 0.0)
            start = 0
            while start < len(coarse):
                most = max(1, self._pixels_at_once // coarse[0].size)
                batch = self._batch(coarse, start, min(start + most, len(coarse)))
                try:
                    answers = self._answers(batch, told, places)
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

    def _batch(self, coarse: np.ndarray, start: int, stop: int) -> torch.Tensor:
        """Return some reformats ``(N, C, K, W)``, each with those beside it; past the ends the last repeats."""
        beside = np.arange(start, stop)[:, None] + neighbour_offsets(self.network.neighbours)
        return torch.from_numpy(np.ascontiguousarray(coarse[beside.clip(0, len(coarse) - 1)]))

    def _answers(self, batch: torch.Tensor, told: _Told, places: torch.Tensor) -> list[np.ndarray]:
        """Return the network's answers ``(N, R, W)`` to a batch of reformats ``(N, C, K, W)`` and to its flips."""
        flips = [(), (-1,), (-2,), (-2, -1)] if self.ensemble else [()]
        answers = []
        for flip in flips:
            turned_places = (batch.shape[-2] - 1 - places).flip(0) if -2 in flip else places
            reformats = batch.flip(flip).to(self.device, memory_format=torch.channels_last)
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                answer = self._placed(
                    reformats, told.spacing, told.thickness, turned_places.float(), told.noise, told.apart
                )
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
