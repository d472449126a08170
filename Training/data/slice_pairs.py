"""Pairs of fine and coarse slices: random ones for training, fixed ones for validation.

For training, whole slices are degraded once, by the preset's slice transforms, and patches are cut from both at
matching places: a k-space crop of a patch would wrap at the patch's borders, which no scanner does. The preset's patch
transforms (noise, flips, brightness) are drawn anew for every patch.

A network that sees neighbours is shown the slices beside a pair's own, degraded alike, but where they are far.

The volumes are those of a data list (``lists.py``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.utils import MAX_SEED
from torch.utils.data import Dataset

from SuperResolutionLib.acquisition.noise import add_quantum_noise, add_rician_noise, noise_level
from SuperResolutionLib.acquisition.operators import OPERATORS, kspace_crop_to
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.models.networks import FARTHEST_APART, neighbour_offsets, with_told
from Training.data.lists import read_data_list
from Training.degradation.presets import read_preset
from Training.degradation.thick_slices import misplaced

EMPTY_SLICE = 0.25
MEASURED = 8
"""Slices of a stack in which its noise is measured."""
EMPTY_PATCH = 0.05
TRIES = 4
SMALLEST_SHRINK = 0.6
ENDLESS = 2**31 - 1


@dataclass(frozen=True)
class Plane:
    """The slices with content of one volume across one axis, ``(N, 1, H, W)`` float32 in signal units.

    ``offset`` takes signal units to the networks' units (``IntensityScale``), ``every`` and ``weight`` are the data
    list's. ``apart`` is the distance of the volume's slices across that axis, in pixels along ``H`` and along ``W``.
    """

    name: str
    signal: torch.Tensor
    offset: float
    weight: float
    every: int
    apart: tuple[float, float]


def read_planes(data: os.PathLike | str, datalist: os.PathLike | str, section: str) -> Iterator[Plane]:
    """Yield every volume in ``data`` that one section of ``datalist`` names, plane by plane.

    A slice has content where its SD is above a quarter of the greatest of its plane. Weights add up to those of the
    groups.

    Raises:
        InputError: a volume is missing or cannot be read.
    """
    listing = read_data_list(datalist)
    planes_of: dict[str, int] = {}
    for entry in listing[section]:
        planes_of[entry["group"]] = planes_of.get(entry["group"], 0) + len(entry["slice_axes"])
    for entry in listing[section]:
        no_signal = entry.get("no_signal", 0)
        volume = read_volume(Path(data) / entry["image"])
        voxels = volume.voxels
        scale = IntensityScale.of(voxels)
        weight = listing["group_weights"][entry["group"]] / planes_of[entry["group"]]
        for axis in entry["slice_axes"]:
            slices = np.moveaxis((voxels.astype(np.float32) - no_signal) / scale.span, "kji".index(axis), 0)
            content = slices.std(axis=(1, 2))
            signal = torch.from_numpy(np.ascontiguousarray(slices[content > EMPTY_SLICE * content.max()], np.float32))
            along_h, along_w = (
                volume.spacing["ijk".index(axis)] / volume.spacing[n] for n in (2, 1, 0) if "ijk"[n] != axis
            )
            offset = (no_signal - scale.low) / scale.span
            yield Plane(entry["image"], signal[:, None], offset, weight, entry["every"], (along_h, along_w))


def beside(slices: torch.Tensor, chosen: torch.Tensor, neighbours: int) -> torch.Tensor:
    """Return, of ``(N, 1, H, W)``, the chosen slices and those beside them, ``(M, 1 + 2 * neighbours, H, W)``.

    Past the ends the last one repeats.
    """
    indices = chosen[:, None] + torch.tensor(neighbour_offsets(neighbours))
    return slices[indices.clamp(0, len(slices) - 1), 0]


@dataclass(frozen=True)
class Stack:
    """The pairs of one version of a plane, float16 in signal units.

    Attributes:
        fine: ``(N, 1, H, W)``. coarse: ``(N, C, h, w)``, the slices and those beside them.
        noise: of the coarse slices as they are, as a survey finds it. apart: their distance in coarse pixels.
        weight, offset: as of ``Plane``.
    """

    weight: float
    offset: float
    fine: torch.Tensor
    coarse: torch.Tensor
    noise: float
    apart: float


class PairDataset(Dataset):
    """An endless set of random coarse and fine patches, each a pure function of the seed and its index.

    So a resumed training, or one whose batches are divided among processes, draws what an unbroken one would have
    drawn, whatever else has been drawn before. The pool of degraded slices is built here, with the same seed: of each
    plane ``versions`` versions, with other slices in each. Every version after the first is moved by a random fraction
    of a coarse voxel, and every second one is first made coarser by a k-space crop to between 0.6 and 1 of its matrix,
    which also sharpens content that did not reach the Nyquist frequency.

    Items are dictionaries of "image", ``(C, s, s)``, and "label", ``(1, factor * s, factor * s)``: float32 tensors in
    the networks' units. Volumes are drawn by their group's weight; of up to four places the first that is not empty.

    Where there are neighbours, "image" is what ``networks.with_told`` makes of them. Of eight pairs one is shown none,
    and one has them where they are not, or brighter or darker, so that slices that moved are not trusted.

    Args:
        data: folder of the volumes. datalist: what to take from it.
        degradation: a preset (see ``read_preset``).
        factor: fine voxels to a coarse one. coarse_size: side ``s`` of a coarse patch.
        versions: how often each plane is degraded. section: the part of the data list.
        neighbours: slices that are shown on either side.

    Raises:
        ValueError: the slices of a volume are smaller than a patch.
        InputError: a volume is missing or cannot be read.
    """

    def __init__(
        self,
        data: os.PathLike | str,
        datalist: os.PathLike | str,
        degradation: os.PathLike | str,
        factor: int,
        coarse_size: int,
        seed: int = 0,
        versions: int = 4,
        section: str = "training",
        neighbours: int = 0,
    ):
        self.factor, self.coarse_size, self.seed, self.neighbours = factor, coarse_size, seed, neighbours
        slice_transforms, self._patch_transforms = read_preset(degradation, factor)
        self.stacks = []
        for number, plane in enumerate(read_planes(data, datalist, section)):
            if min(plane.signal.shape[-2:]) < factor * (coarse_size + 1):
                raise ValueError(
                    f"The slices of {plane.name} are {tuple(plane.signal.shape[-2:])}, too small for patches of"
                    f" {factor * coarse_size}; take a smaller patch or take the volume off {datalist}."
                )
            for version in range(versions):
                random = np.random.default_rng((seed, number, version))
                chosen = torch.arange(version * plane.every // versions, len(plane.signal), plane.every)
                fine, shrink = self._moved_version(beside(plane.signal, chosen, neighbours), version, random)
                apart = shrink * math.sqrt(plane.apart[0] * plane.apart[1]) / factor
                slice_transforms.set_random_state(int(random.integers(MAX_SEED)))
                pairs = [slice_transforms({"image": images, "label": images}) for images in fine]
                fine = torch.stack([pair["label"][:1] for pair in pairs]).half()
                coarse = torch.stack([pair["image"] for pair in pairs]).half()
                noise = noise_level(coarse[:MEASURED, 0].float().numpy()) if neighbours else 0.0
                self.stacks.append(Stack(plane.weight / versions, plane.offset, fine, coarse, noise, apart))
        weights = np.array([stack.weight for stack in self.stacks])
        self._chances = weights / weights.sum()

    def _moved_version(
        self, fine: torch.Tensor, version: int, random: np.random.Generator
    ) -> tuple[torch.Tensor, float]:
        """Return the version, and how much coarser its matrix is."""
        smallest, shrink = self.factor * (self.coarse_size + 1), 1.0
        if version % 2:
            least = max(SMALLEST_SHRINK, smallest / min(fine.shape[-2:]))
            shrink = random.uniform(least, 1.0)
            fine = kspace_crop_to(fine, tuple(int(np.ceil(size * shrink)) for size in fine.shape[-2:]))
        if version:
            top, left = random.integers(0, self.factor, 2)
            fine = fine[..., top:, left:]
        height, width = (size // self.factor * self.factor for size in fine.shape[-2:])
        return fine[..., :height, :width], shrink

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        random = np.random.default_rng((self.seed, index))
        stack = self.stacks[random.choice(len(self.stacks), p=self._chances)]
        count, _, height, width = stack.coarse.shape
        size, factor = self.coarse_size, self.factor
        for _ in range(TRIES):
            number, top, left = (int(random.integers(n)) for n in (count, height - size + 1, width - size + 1))
            coarse = stack.coarse[number, :, top : top + size, left : left + size].float()
            if coarse[0].std() > EMPTY_PATCH:
                break
        fine = stack.fine[number, :, factor * top : factor * (top + size), factor * left : factor * (left + size)]
        self._patch_transforms.set_random_state(int(random.integers(MAX_SEED)))
        shown, coarse = self._shown(coarse, stack.apart, random) if self.neighbours else (0.0, coarse)
        pair = self._patch_transforms({"image": coarse, "label": fine.float()})
        image, label = (pair[key] + stack.offset for key in ("image", "label"))
        if self.neighbours:
            noise = math.hypot(stack.noise, float(pair.get("noise", 0.0)))
            image = image if shown else image[:1].expand_as(image)
            image = with_told(image[None], noise, shown)[0]
        return {"image": image, "label": label}

    def _shown(self, coarse: torch.Tensor, apart: float, random: np.random.Generator) -> tuple[float, torch.Tensor]:
        """Return how far the neighbours are said to be, 0 where they are not shown, and the slices ``(C, s, s)``."""
        fate = random.integers(8)
        if apart > FARTHEST_APART or fate == 0:
            return 0.0, coarse
        return apart, misplaced(coarse, random, (-2, -1)) if fate == 1 else coarse


class ValidationSlices:
    """Fixed pairs of whole slices: the engine's acquisition operators without and with noise, the same every time.

    Iterating yields, for every plane of the data list's section and every degradation ("area", "bicubic", "kspace",
    "kspace + 2 % noise" and "kspace + 5 % noise"; Rician, or where signal is negative quantum noise, SD in shares of
    the robust range), a dictionary of "name", the degradation, "image", ``(N, C, h, w)``, and "label",
    ``(N, 1, factor * h, factor * w)``: float32 tensors in the networks' units. As in the evaluation, an image has no
    negative signal where its truth has none.

    Args:
        data: folder of the volumes. datalist: what to take from it.
        factor: fine voxels to a coarse one.
        slices: how many slices of each plane, evenly spread over those with content.
        section: the part of the data list.
        neighbours: slices that are shown on either side, as ``PairDataset`` shows them.
    """

    def __init__(
        self,
        data: os.PathLike | str,
        datalist: os.PathLike | str,
        factor: int,
        slices: int = 6,
        section: str = "validation",
        neighbours: int = 0,
    ):
        self.factor, self.neighbours = factor, neighbours
        self._truths = []
        for plane in read_planes(data, datalist, section):
            chosen = torch.linspace(0, len(plane.signal) - 1, slices + 2).long()[1:-1]
            height, width = (size // factor * factor for size in plane.signal.shape[-2:])
            apart = math.sqrt(plane.apart[0] * plane.apart[1]) / factor
            near = neighbours if apart <= FARTHEST_APART else 0
            images = beside(plane.signal[..., :height, :width], chosen, near)
            self._truths.append((images, plane.offset, apart if near else 0.0))

    def __iter__(self) -> Iterator[dict[str, str | torch.Tensor]]:
        for fine, offset, apart in self._truths:
            is_magnitude = bool(fine.min() >= 0)
            for name, operator in OPERATORS.items():
                coarse = operator(fine, self.factor)
                coarse = coarse.clamp(min=0) if is_magnitude else coarse
                yield {"name": name, "image": self._shown(coarse + offset, apart), "label": fine[:, :1] + offset}
            coarse = OPERATORS["kspace"](fine, self.factor)
            for percent in (2, 5):
                add_noise = add_rician_noise if is_magnitude else add_quantum_noise
                noisy = add_noise(coarse, percent / 100, torch.Generator().manual_seed(percent))
                image = self._shown(noisy + offset, apart)
                yield {"name": f"kspace + {percent} % noise", "image": image, "label": fine[:, :1] + offset}

    def _shown(self, coarse: torch.Tensor, apart: float) -> torch.Tensor:
        if not self.neighbours:
            return coarse
        shown = coarse.expand(-1, 1 + 2 * self.neighbours, -1, -1)
        return with_told(shown, noise_level(coarse[:, 0].numpy()), apart)
