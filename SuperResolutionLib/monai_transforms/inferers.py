"""Two inferers of MONAI's kind: the engine's tiles alone, and the whole engine with an evaluator's network."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, decollate_batch, get_track_meta
from monai.data.utils import collate_meta_tensor
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from monai.utils.enums import MetaKeys

from ..acquisition.noise import noise_level
from ..errors import InputError
from ..geometry.intensity import IntensityScale
from ..models.bundles import find_model
from ..models.networks import Network
from ..upscaling.inference import SliceInference
from ..upscaling.request import UpscaleRequest
from ..upscaling.shown_slices import ShownSlices, distance_in_pixels
from .meta_tensors import SCAN
from .upscaled import upscale_image

FAR = math.inf


class SlicePlaneInferer(Inferer):
    """Runs a slice-plane network slice by slice, in tiles whose halo is its receptive field.

    The result equals the network's answer to whole slices (unlike ``SlidingWindowInferer``'s, which blends). Rows and
    columns that only hold what the corners hold are not computed, and when memory runs out tiles get smaller, then the
    CPU goes on; a warning says so. Nothing is normalised: the network sees the input as it is. One that sees neighbours
    is shown those along ``D`` of a MetaTensor, whose affine says how far they are, and told the noise that is measured.

    Args:
        tile: largest side of a tile in coarse pixels, its halo not counted.
        ensemble: average the eight flips and quarter turns.
        precision: float32, or a half type for the convolutions.
        device: where to run; None takes the input's.
    """

    def __init__(
        self,
        tile: int = 256,
        ensemble: bool = False,
        precision: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ):
        self.tile, self.ensemble, self.precision, self.device = tile, ensemble, precision, device

    def __call__(self, inputs: torch.Tensor, network: Any) -> torch.Tensor:
        """Return ``(B, 1, factor * H, factor * W)`` or ``(B, 1, factor * H, factor * W, D)``, float32.

        A MetaTensor gets the affine of the finer grid, whose voxels tile the old ones.

        Args:
            inputs: ``(B, 1, H, W)`` or ``(B, 1, H, W, D)``; slices follow one another along ``D``.
            network: maps ``(N, C, H, W)`` to ``(N, 1, factor * H, factor * W)``; has ``factor``, ``halo`` and
                ``neighbours``.

        Raises:
            InputError: the input has other axes or several channels.
        """
        if inputs.ndim not in (4, 5) or inputs.shape[1] != 1:
            raise InputError(
                f"The input is {tuple(inputs.shape)}; give (B, 1, H, W) or (B, 1, H, W, D), a batch with one channel."
            )
        factor, device = network.factor, torch.device(self.device or inputs.device)
        plain = convert_to_tensor(inputs, track_meta=False).detach().float().cpu()
        size = [factor * inputs.shape[2], factor * inputs.shape[3], *inputs.shape[4:]]
        fine = torch.empty(len(inputs), 1, *size)
        if inputs.ndim == 4:
            for image, target in zip(plain, fine):
                self._run(image, network, target[:, None], device, FAR)
        else:
            apart = _distances(inputs)
            for stack, target, distance in zip(plain, fine, apart):
                self._run(stack[0].permute(2, 0, 1), network, target.permute(3, 0, 1, 2), device, distance)
        fine = fine.to(inputs.device)
        if not isinstance(inputs, MetaTensor) or not get_track_meta():
            return fine
        return _on_finer_grid(fine, inputs, factor)

    def _run(
        self, slices: torch.Tensor, network: Network, target: torch.Tensor, device: torch.device, apart: float
    ) -> None:
        """Write the answers to ``(N, H, W)`` slices that lie ``apart`` pixels into ``target`` ``(N, 1, H, W)``."""
        corners = slices[..., [0, 0, -1, -1], [0, -1, 0, -1]]
        empty = float(corners.flatten()[0])
        inference = SliceInference(
            network,
            device,
            str(self.precision).replace("torch.", ""),
            self.tile,
            self.ensemble,
            empty if bool((corners == empty).all()) else None,
        )
        stack = slices.numpy()
        shown = ShownSlices(stack, IntensityScale(0.0, 1.0), network.neighbours, noise_level(stack), apart)
        at_once = 1 if device.type == "cpu" else 8
        for start in range(0, len(slices), at_once):
            target[start : start + at_once] = inference(shown(start, min(start + at_once, len(slices))))[0]
        for warning in inference.warnings:
            warnings.warn(warning, stacklevel=3)


def _distances(inputs: torch.Tensor) -> list[float]:
    """Return how far the slices of each volume ``(B, 1, H, W, D)`` lie apart, in pixels; far where nothing says so."""
    if not isinstance(inputs, MetaTensor) or not get_track_meta():
        return [FAR] * len(inputs)
    affines = np.broadcast_to(np.asarray(inputs.affine), (len(inputs), *inputs.affine.shape[-2:]))
    spacings = np.linalg.norm(affines[:, :3, :3], axis=1)
    return [distance_in_pixels((down, across, slices), 2) for down, across, slices in spacings.tolist()]


def _on_finer_grid(fine: torch.Tensor, inputs: MetaTensor, factor: int) -> MetaTensor:
    """Return ``fine`` with the meta data of ``inputs``, whose first two spatial axes were refined by ``factor``."""
    finer = torch.eye(inputs.affine.shape[-1], dtype=torch.float64)
    finer[[0, 1], [0, 1]] = 1 / factor
    finer[:2, -1] = (1 / factor - 1) / 2
    affine = inputs.affine @ finer
    shape = torch.tensor(fine.shape[2:])
    image = MetaTensor(fine)
    image.copy_meta_from(inputs)
    image.is_batch = inputs.is_batch
    image.meta = {
        **{key: value for key, value in inputs.meta.items() if key != SCAN},
        MetaKeys.AFFINE: affine,
        MetaKeys.ORIGINAL_AFFINE: affine.clone(),
        MetaKeys.SPATIAL_SHAPE: shape.expand(len(fine), -1) if inputs.is_batch else shape,
    }
    return image


class UpscaleInferer(Inferer):
    """Runs the whole engine on a batch of volumes, as ``superresolution upscale`` does, with the given network.

    What an evaluator passes is what runs in place of the model's own weights; the rest (the acquired band, the
    intensity scale, data consistency, the grid) is as of ``upscale``. The engine itself moves the network and one
    tile after the other to ``device``, so the evaluator's own device is best the CPU.

    Args:
        model: the installed name or the folder of the model whose network it is.
        detail: what the network's weights were loaded with; None for the model's default.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        options: other fields of ``UpscaleRequest``, but for ``error``.

    Raises:
        InputError: there is no such model. TypeError: an option that there is not.
    """

    def __init__(
        self,
        model: os.PathLike | str,
        detail: float | None = None,
        device: torch.device | str = "auto",
        factor: int | tuple[int, int, int] | None = None,
        **options: Any,
    ):
        self.model = find_model(str(model))
        self.request = UpscaleRequest(factor=factor, detail=detail, device=str(device), **options)

    def __call__(self, inputs: torch.Tensor, network: Network) -> torch.Tensor:  # type: ignore[override]
        """Return the batch of finer volumes, each with the meta data that ``Upscale`` gives it.

        Args:
            inputs: ``(B, 1, i, j, k)``. network: of the model's kind, in evaluation mode.

        Raises:
            InputError: as ``Upscale``. RuntimeError: the finer volumes differ in size; use a batch size of 1.
        """
        request = replace(self.request, model=replace(self.model, loaded=network))
        finer = [upscale_image(image, request)[0] for image in decollate_batch(inputs)]
        return collate_meta_tensor(finer) if get_track_meta() else torch.stack([image.as_tensor() for image in finer])
