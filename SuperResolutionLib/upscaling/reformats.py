"""A network over reformats, the cuts across thick slices: both sets of them, averaged."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from ..models.devices import is_out_of_memory
from ..models.networks import Network, neighbour_offsets
from ..models.precision import PreparedNetwork, Show

PIXELS_AT_ONCE = {"cpu": 2**15}
"""Pixels of a batch of reformats, by device; on a CPU the activations of larger ones fall out of its caches."""
SHOWN = 3
"""Reformats of each set that a network is shown before it runs."""


@dataclass(frozen=True)
class _Told:
    """What a ``ThroughPlaneNet`` is told of one set of reformats."""

    spacing: float
    thickness: float
    noise: float
    apart: float

    @classmethod
    def of(cls, count: int, spacing: float, other: float, thickness: float, noise: float) -> _Told:
        """Return what is told of ``count`` reformats, if the slices are ``other`` pixels apart along the others."""
        return cls(spacing, thickness, noise, spacing / other if count > 1 else 0.0)


@dataclass
class ReformatInference:
    """Runs a ``ThroughPlaneNet`` on both sets of reformats through a stack of slices, and averages the two.

    Args:
        network: a ``networks.ThroughPlaneNet``, or one with its error (``networks.error_head``).
        device, precision, show, otherwise: as of ``PreparedNetwork``.
        ensemble: average the four flips of each reformat.
        empty: the value outside the patient where it is exactly constant, else None: rows and columns of the slices
            that hold nothing else are not computed.
        on_batch: called after each batch; may raise to stop. on_progress: as ``progress`` of ``upscaling.upscale``.

    Attributes:
        prepared: the network as it runs. reformats: reformats run so far.
        warnings: what memory forced it to change, in words.
    """

    network: Network
    device: torch.device
    precision: str = "float32"
    ensemble: bool = False
    empty: float | None = None
    on_batch: Callable[[], None] = lambda: None
    on_progress: Callable[[int, int, str], None] = lambda done, total, message: None
    show: Show | None = None
    otherwise: str = "float32"
    reformats: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pixels_at_once = PIXELS_AT_ONCE.get(self.device.type, 2**19)
        self.prepared = PreparedNetwork(self.network, self.device, self.precision, self.show, self.otherwise)

    @torch.inference_mode()
    def __call__(
        self,
        slices: np.ndarray,
        spacings: tuple[float, float],
        thickness: float,
        places: torch.Tensor,
        noise: float = 0.0,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the fine rows ``(R, H, W)`` float32, and their expected error where the network predicts it.

        Args:
            slices: ``(K, H, W)`` float32, normalised.
            spacings: of the slices, in pixels along H and along W.
            thickness: FWHM of the slice profile as a share of the spacing.
            places: ``(R,)``, as of ``ThroughPlaneNet``.
            noise: its SD in the slices, normalised.
        """
        fine = np.zeros((len(places), *slices.shape[1:]), np.float32)
        error = np.zeros_like(fine) if self.network.predicts_error else None
        top, bottom, left, right = self._filled(slices)
        views = [array[:, top:bottom, left:right] for array in (slices, fine)]
        error_view = None if error is None else error[:, top:bottom, left:right]
        total, done = sum(views[0].shape[1:]), 0
        self.on_progress(0, total, "Refining through the slices")
        for dimension, spacing, other in ((1, spacings[1], spacings[0]), (2, spacings[0], spacings[1])):
            # Reformats along W lie one behind the other along H, and the other way round.
            coarse, target = (np.moveaxis(view, dimension, 0) for view in views)
            error_target = None if error_view is None else np.moveaxis(error_view, dimension, 0)
            told = _Told.of(len(coarse), spacing, other, thickness, noise)
            start = 0
            while start < len(coarse):
                most = max(1, self._pixels_at_once // coarse[0].size)
                chosen = np.arange(start, min(start + most, len(coarse)))
                batch = torch.from_numpy(_with_neighbours(coarse, chosen, self.network))
                try:
                    answers = self._answers(batch, told, places)
                except RuntimeError as failure:
                    if not is_out_of_memory(failure):
                        raise
                    self._save_memory(len(batch), failure)
                    continue
                ran = slice(start, start + len(batch))
                for answer in answers:
                    target[ran] += answer[:, 0] / (2 * len(answers))
                    if error_target is not None:
                        error_target[ran] += answer[:, 1] / (2 * len(answers))
                start += len(batch)
                done += len(batch)
                self.reformats += len(batch)
                self.on_batch()
                self.on_progress(done, total, "Refining through the slices")
        if self.empty is not None:
            for outside in (fine[:, :top], fine[:, bottom:], fine[:, :, :left], fine[:, :, right:]):
                outside[:] = self.empty
        return fine, error

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

    def _answers(self, batch: torch.Tensor, told: _Told, places: torch.Tensor) -> list[np.ndarray]:
        """Return the answers ``(N, 1 or 2, R, W)`` to a batch of reformats ``(N, C, K, W)`` and to its flips."""
        flips = [(), (-1,), (-2,), (-2, -1)] if self.ensemble else [()]
        answers = []
        for flip in flips:
            turned_places = (batch.shape[-2] - 1 - places).flip(0) if -2 in flip else places
            reformats = batch.flip(flip).to(self.device, memory_format=torch.channels_last)
            answer = self.prepared(
                reformats, told.spacing, told.thickness, turned_places.float(), told.noise, told.apart
            )
            answers.append(answer.flip(flip).cpu().numpy())
        return answers

    def _save_memory(self, reformats: int, error: RuntimeError) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if reformats > 1:
            self._pixels_at_once //= 2
            self.warnings.append(f"Memory ran out on {self.device}; fewer reformats were run at once.")
        elif self.device.type != "cpu":
            self.warnings.append(f"Memory ran out on {self.device} even with single reformats; the CPU went on.")
            self.device = torch.device("cpu")
            self.prepared = PreparedNetwork(self.network, self.device)
        else:
            raise error


def shown(
    network: Network,
    slices: np.ndarray,
    normalise: Callable[[np.ndarray], np.ndarray],
    spacings: tuple[float, float],
    thickness: float,
    noise: float,
) -> Show:
    """Return what shows a ``ThroughPlaneNet`` some reformats of both sets: the brightest and those that vary most.

    Args:
        slices: ``(K, H, W)``, all of the scan's, in its units. normalise: takes some of them to normalised float32.
        spacings, thickness, noise: as of ``ReformatInference``.
    """

    @functools.cache
    def calls() -> list[tuple]:
        chosen_inputs = []
        for dimension, spacing, other in ((1, spacings[1], spacings[0]), (2, spacings[0], spacings[1])):
            coarse = np.moveaxis(slices, dimension, 0)
            varied = coarse.std(axis=(1, 2), dtype=np.float64).argsort(kind="stable")[::-1][: SHOWN - 1]
            chosen = np.unique([int(coarse.max(axis=(1, 2)).argmax()), *varied])
            told = _Told.of(len(coarse), spacing, other, thickness, noise)
            batch = torch.from_numpy(normalise(_with_neighbours(coarse, chosen, network)))
            chosen_inputs.append((batch, told.spacing, told.thickness, None, told.noise, told.apart))
        return chosen_inputs

    def show(call: Callable[..., torch.Tensor]) -> torch.Tensor:
        return torch.cat([call(*inputs)[:, 0].flatten() for inputs in calls()])

    return show


def _with_neighbours(coarse: np.ndarray, chosen: np.ndarray, network: Network) -> np.ndarray:
    """Return some reformats ``(N, C, K, W)``, each with those beside it; past the ends the last repeats."""
    beside = chosen[:, None] + neighbour_offsets(network.neighbours)
    return np.ascontiguousarray(coarse[beside.clip(0, len(coarse) - 1)])
