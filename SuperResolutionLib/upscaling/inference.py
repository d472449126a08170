"""A network over slices: tiles with an exact halo, empty borders skipped, smaller tiles when memory runs out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

import torch

from ..models.devices import is_out_of_memory
from ..models.networks.neighbours import shown_images
from ..models.networks.network import Network
from ..models.precision import PreparedNetwork, Show

SMALLEST_TILE = 64


@dataclass
class SliceInference:
    """Runs a network on slices, equal to running it on each whole slice.

    Args:
        network: maps ``(N, C, H, W)`` to ``(N, 1, factor * H, factor * W)``, or to two channels, see
            ``networks.error_head``; has ``factor`` and ``halo``.
        device: where to run. precision, show, otherwise: as of ``PreparedNetwork``.
        tile: largest side of a tile in coarse pixels, its halo not counted.
        ensemble: average the eight flips and quarter turns.
        empty: the value of voxels outside the patient where it is exactly constant, else None. Rows and columns that
            hold nothing else take the network's answer to an empty slice, which is computed once.
        on_tile: called after each tile; may raise to stop.

    Attributes:
        prepared: the network as it runs. tiles: tiles run so far.
        warnings: what memory forced it to change, in words.
    """

    network: Network
    device: torch.device
    precision: str = "float32"
    tile: int = 256
    ensemble: bool = False
    empty: float | None = None
    on_tile: Callable[[], None] = lambda: None
    show: Show | None = None
    otherwise: str = "float32"
    tiles: int = 0
    warnings: list[str] = field(default_factory=list)
    _empty_answers: dict[torch.Size, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prepared = PreparedNetwork(self.network, self.device, self.precision, self.show, self.otherwise)
        self._predicts_error = getattr(self.network, "predicts_error", False)

    @torch.inference_mode()
    def __call__(self, slices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the upscaled slices and their expected error (zeros where the network predicts none).

        Args:
            slices: ``(N, C, H, W)`` float32 on the CPU, normalised; see ``networks.with_told``, whose constant
                channels are the same in every call.

        Returns:
            Two ``(N, 1, factor * H, factor * W)`` float32 tensors on ``device``.
        """
        if self.empty is None:
            return self._box(slices, 0, slices.shape[-2], 0, slices.shape[-1])
        images = slices[:, : shown_images(slices.shape[1])]
        filled = (images != self.empty).any(dim=0).any(dim=0)
        rows, columns = filled.any(dim=1).nonzero(), filled.any(dim=0).nonzero()
        told = slices[:1, images.shape[1] :, :1, :1]
        answer = self._answer_to_empty(self.empty, told, slices.shape[-2:], images.shape[1])
        image, error = (part.expand(len(slices), -1, -1, -1) for part in answer)
        image, error = image.clone(), error.clone() if self._predicts_error else error
        if len(rows):
            halo, factor = self.network.halo, self.network.factor
            top, left = (max(0, int(index[0]) - halo) for index in (rows, columns))
            bottom, right = (
                min(size, int(index[-1]) + 1 + halo) for index, size in zip((rows, columns), slices.shape[-2:])
            )
            inside = self._box(slices, top, bottom, left, right)
            for target, source in zip(self._written(image, error), inside):
                target[..., factor * top : factor * bottom, factor * left : factor * right] = source
        return image, error

    def _answer_to_empty(
        self, empty: float, told: torch.Tensor, shape: torch.Size, images: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the answer to a slice of ``empty`` alone: a border as wide as the halo around one repeated voxel."""
        if shape not in self._empty_answers:
            halo, factor = self.network.halo, self.network.factor
            small = [min(size, 2 * halo + 1) for size in shape]
            shown = torch.cat([torch.full((1, images, *small), empty), told.expand(-1, -1, *small)], dim=1)
            answer = self._box(shown, 0, small[0], 0, small[1])
            rows, columns = (
                torch.cat(
                    [torch.arange(halo), torch.full((size - 2 * halo,), halo), torch.arange(halo + 1, 2 * halo + 1)]
                )
                if size > 2 * halo
                else torch.arange(size)
                for size in shape
            )
            rows, columns = ((factor * index[:, None] + torch.arange(factor)).ravel() for index in (rows, columns))
            image, error = (part[:, :, rows][..., columns] for part in answer)
            self._empty_answers[shape] = image, error
        return self._empty_answers[shape]

    def _box(
        self, slices: torch.Tensor, top: int, bottom: int, left: int, right: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the fine pixels of a box of coarse ones; the slices around the box serve as halo."""
        while True:
            try:
                return self._tiled_box(slices, top, bottom, left, right)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._save_memory(max(bottom - top, right - left), error)

    def _save_memory(self, side: int, error: RuntimeError) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if min(self.tile, side) > SMALLEST_TILE:
            self.tile = max(SMALLEST_TILE, min(self.tile, side) // 2)
            self.warnings.append(f"Memory ran out on {self.device}; tiles were made smaller ({self.tile} voxels).")
        elif self.device.type != "cpu":
            self.warnings.append(f"Memory ran out on {self.device} even with small tiles; the CPU went on.")
            self.device = torch.device("cpu")
            self.prepared = PreparedNetwork(self.network, self.device)
            self._empty_answers.clear()
        else:
            raise error

    def _tiled_box(
        self, slices: torch.Tensor, top: int, bottom: int, left: int, right: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        factor, halo, tile = self.network.factor, self.network.halo, self.tile
        shape = (len(slices), 1, factor * (bottom - top), factor * (right - left))
        image = torch.empty(shape, device=self.device)
        error = torch.zeros(shape if self._predicts_error else (), device=self.device).expand(shape)
        for y in range(top, bottom, tile):
            for x in range(left, right, tile):
                end_y, end_x = min(bottom, y + tile), min(right, x + tile)
                first_y, first_x = max(0, y - halo), max(0, x - halo)
                answer = self._run(slices[..., first_y : end_y + halo, first_x : end_x + halo])
                inner = (
                    ...,
                    slice(factor * (y - first_y), factor * (end_y - first_y)),
                    slice(factor * (x - first_x), factor * (end_x - first_x)),
                )
                outer = (
                    ...,
                    slice(factor * (y - top), factor * (end_y - top)),
                    slice(factor * (x - left), factor * (end_x - left)),
                )
                for target, source in zip(self._written(image, error), answer):
                    target[outer] = source[inner]
                self.tiles += 1
                self.on_tile()
        return image, error

    def _written(self, image: torch.Tensor, error: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what a result is written into: where no error is predicted it is one zero, seen everywhere."""
        return (image, error) if self._predicts_error else (image,)

    def _run(self, tile: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tile = tile.to(self.device)
        answer = self._averaged(tile) if self.ensemble else self._answer(tile)
        image = answer[:, :1]
        return image, answer[:, 1:] if self._predicts_error else image.new_zeros(()).expand(image.shape)

    def _averaged(self, tile: torch.Tensor) -> torch.Tensor:
        total = torch.zeros((), device=self.device)
        for turns in range(4):
            for flipped in (False, True):
                turned = torch.rot90(tile.flip(-1) if flipped else tile, turns, (-2, -1))
                answer = torch.rot90(self._answer(turned), -turns, (-2, -1))
                total = total + (answer.flip(-1) if flipped else answer)
        return total / 8

    def _answer(self, tile: torch.Tensor) -> torch.Tensor:
        return self.prepared(tile.contiguous(memory_format=torch.channels_last))
