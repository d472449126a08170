"""Pairs of reformats through thin and through thick slices, made of single sharp slices and of those beside them.

How a slice becomes such a pair is said in ``SuperResolutionLib.acquisition.thick_patches``. The data list is that of
``slice_pairs``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from SuperResolutionLib.acquisition.noise import add_rician_noise, noise_level
from SuperResolutionLib.acquisition.operators import kspace_resized
from SuperResolutionLib.acquisition.slice_profile import PROFILES, thick_slices
from SuperResolutionLib.acquisition.thick_patches import (
    AREA,
    NEAREST_APART,
    draw_patch,
    flipped_alike,
    noise_in_thick,
    slices_within,
)
from SuperResolutionLib.models.networks import fine_rows, neighbour_offsets
from Training.data.slice_pairs import EMPTY_PATCH, ENDLESS, SMALLEST_SHRINK, TRIES, Plane, read_planes
from Training.degradation.ct import MTFS
from Training.degradation.presets import filtered
from Training.degradation.thick_slices import ThickSliceNoise, misplaced, uneven_gains

SLICES_AT_ONCE = 32
SEEN_OF_RICIAN = 0.6
"""About what ``noise_level`` finds of the SD of Rician noise on a scan with air around the patient."""


@dataclass(frozen=True)
class Stack:
    """One version of a plane: all its slices ``(N, H, W)``, float16, in signal units, in their order.

    Attributes:
        noise: of the slices as they are, in shares of the robust range.
        apart: their distance in pixels along ``H`` and along ``W``. offset, weight: as of ``slice_pairs.Plane``.
    """

    slices: torch.Tensor
    offset: float
    weight: float
    noise: float
    apart: tuple[float, float]


class ThroughPlanePairs(Dataset):
    """An endless set of random reformats; each is a pure function of the seed and its index.

    All pairs of an iteration share the slice spacing and the thickness, which are drawn anew for each. Half of the
    thicknesses equal the spacing, the others leave a gap or overlap; what is told is 10 % off at most. A third of the
    slices are first made coarser by a k-space crop, and a third are zero-filled (in CT: blurred by a softer kernel), as
    scanners do: reformats are never to be sharper than the slices are.

    The reformats beside a pair's own come from the slices beside its slice where those are near, else there are none.
    In one of eight they are not where they are told to be, so that slices that moved are not trusted.

    Items are dictionaries of "image", ``(C, K, W)``, "label", ``(1, fine_rows(K, spacing), W)``, float32 in the
    networks' units, "conditions", the network's arguments that an iteration's pairs share, "spacing" (in pixels) and
    "thickness" (in spacings), and, where there are neighbours, "own_conditions", those that they do not: "noise" and
    "apart".

    Args:
        data: folder of the volumes. datalist: what to take from it.
        batch: pairs in an iteration.
        neighbours: reformats on either side.
        acquired: "mri" or "ct": whose noise and blur.
        rows: the most fine rows of a patch; smaller planes lower it.
        spacings: lowest and highest; drawn evenly on a logarithmic scale.
        thicknesses: lowest and highest FWHM of the slice profile, in spacings.
        noise: highest SD of the noise, in shares of the robust range. noisy: share of the patches that have any.
        banded: share of the patches whose slices have gains of 0.8 to 1.2.
    """

    def __init__(
        self,
        data: os.PathLike | str,
        datalist: os.PathLike | str,
        batch: int,
        neighbours: int = 0,
        acquired: str = "mri",
        rows: int = 128,
        spacings: Sequence[float] = (1.25, 8.0),
        thicknesses: Sequence[float] = (0.6, 1.3),
        noise: float = 0.06,
        noisy: float = 0.5,
        banded: float = 0.0,
        seed: int = 0,
        section: str = "training",
    ):
        self.batch, self.seed, self.noise, self.noisy, self.banded = batch, seed, noise, noisy, banded
        self.spacings, self.thicknesses = spacings, thicknesses
        self._add_noise, self._offsets = ThickSliceNoise(acquired), np.array(neighbour_offsets(neighbours))
        softer = _softer_kernel if acquired == "ct" else _zero_filled
        magnitude = acquired != "ct"
        self.stacks = []
        for number, plane in enumerate(read_planes(data, datalist, section)):
            for version, draw in enumerate((_as_it_is, _coarser, softer)):
                change = draw(tuple(plane.signal.shape[-2:]), np.random.default_rng((seed, number, version)), rows)
                self.stacks.append(_stack(plane, change, magnitude))
        self.rows = min(rows, *(min(stack.slices.shape[-2:]) for stack in self.stacks))
        weights = np.array([stack.weight for stack in self.stacks])
        self._chances = weights / weights.sum()

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict:
        spacing, thickness = self._conditions(index // self.batch)
        random = np.random.default_rng((self.seed, index))
        stack = self.stacks[random.choice(len(self.stacks), p=self._chances)]
        slices = slices_within(self.rows, spacing)
        rows = fine_rows(slices, spacing)
        profile = list(PROFILES)[random.integers(len(PROFILES))]
        turned = bool(random.integers(2))
        apart = stack.apart[0 if turned else 1] if len(self._offsets) > 1 else 0.0
        apart = apart if apart <= NEAREST_APART else 0.0
        for _ in range(TRIES):
            images = stack.slices[self._shown(len(stack.slices), apart > 0, random)]
            patch = draw_patch(images.swapaxes(1, 2) if turned else images, rows, slices, random)
            if patch.thin.std() > EMPTY_PATCH:
                break
        coarse, fine = patch.thick(slices, spacing, thickness * random.uniform(0.9, 1.1), profile), patch.thin
        if apart and not random.integers(8):
            coarse = misplaced(coarse, random)
        if random.random() < self.banded:
            coarse = uneven_gains(coarse, random)
        added = 0.0
        if random.random() < self.noisy:
            coarse, added = self._add_noise(coarse, self.noise * random.random(), random)
        noise = float(np.hypot(added, noise_in_thick(stack.noise, spacing, thickness)))
        width = AREA // slices
        if fine.shape[1] < width:
            coarse, fine = (
                torch.cat([part, part.flip(-1)], -1).repeat(*[1] * (part.ndim - 1), width)[..., :width]
                for part in (coarse, fine)
            )
        brightness = random.uniform(0.75, 1.25)
        coarse, fine = flipped_alike(coarse, fine, random)
        pair = {
            "image": (brightness * coarse + stack.offset).expand(len(self._offsets), -1, -1),
            "label": brightness * fine[None] + stack.offset,
            "conditions": {"spacing": spacing, "thickness": thickness},
        }
        if len(self._offsets) > 1:
            pair["own_conditions"] = {"noise": brightness * noise, "apart": apart}
        return pair

    def _shown(self, count: int, near: bool, random: np.random.Generator) -> np.ndarray:
        """Return the index of a random slice and, if near, those beside it in either order; the ends repeat."""
        offsets = self._offsets if near else self._offsets[:1]
        side = 1 if random.integers(2) else -1
        return np.clip(int(random.integers(count)) + side * offsets, 0, count - 1)

    def _conditions(self, iteration: int) -> tuple[float, float]:
        random = np.random.default_rng((self.seed, iteration, 1))
        spacing = float(np.exp(random.uniform(*np.log(self.spacings))))
        return spacing, 1.0 if random.integers(2) else float(random.uniform(*self.thicknesses))


class ThroughPlaneValidation:
    """Fixed pairs of whole reformats, the same every time.

    Iterating yields, for every plane of the data list's section and each of a few acquisitions, a dictionary of "name",
    such as "4 px, gap 20 %", and "image", "label" and "conditions" as ``ThroughPlanePairs`` has them, ``(N, C, K, W)``
    and ``(N, 1, K * spacing, W)``.

    Args:
        data, datalist, section: as of ``slice_pairs.ValidationSlices``. slices: how many of each plane.
        neighbours, acquired: as of ``ThroughPlanePairs``. MRI's noise is white here.
    """

    ACQUISITIONS = {
        "3 px": (3, 1.0, "gaussian", 0.0),
        "4 px": (4, 1.0, "gaussian", 0.0),
        "6 px": (6, 1.0, "gaussian", 0.0),
        "5 px, gap 20 %": (5, 0.8, "gaussian", 0.0),
        "4 px, box": (4, 1.0, "boxcar", 0.0),
        "4 px, 2 % noise": (4, 1.0, "gaussian", 0.02),
        "4 px, 5 % noise": (4, 1.0, "gaussian", 0.05),
    }
    """Distance in pixels, thickness as a share of it, profile, and the SD of the noise."""

    def __init__(
        self,
        data: os.PathLike | str,
        datalist: os.PathLike | str,
        slices: int = 4,
        section: str = "validation",
        neighbours: int = 0,
        acquired: str = "mri",
    ):
        offsets = np.array(neighbour_offsets(neighbours))
        self.neighbours, self.acquired = neighbours, acquired
        self._truths = []
        for plane in read_planes(data, datalist, section):
            chosen = torch.linspace(0, len(plane.signal) - 1, slices + 2).long()[1:-1].numpy()
            images = plane.signal[np.clip(chosen[:, None] + offsets, 0, len(plane.signal) - 1), 0]
            noise = noise_level(plane.signal[chosen, 0].numpy())
            self._truths += [
                (images, plane.offset, noise, plane.apart[1]),
                (images.swapaxes(-1, -2), plane.offset, noise, plane.apart[0]),
            ]

    def __iter__(self) -> Iterator[dict]:
        for fine, offset, own_noise, apart in self._truths:
            apart = apart if self.neighbours and apart <= NEAREST_APART else 0.0
            shown = fine if apart else fine[:, :1]
            for name, (spacing, thickness, profile, added) in self.ACQUISITIONS.items():
                slices = fine.shape[-2] // spacing
                rows = slices * spacing
                coarse = thick_slices(shown, 0, rows, slices, spacing, thickness, profile)
                noise = noise_in_thick(own_noise, spacing, thickness)
                if added:
                    coarse, seen = self._noisy(coarse, added)
                    noise = float(np.hypot(noise, seen))
                told = {"noise": noise, "apart": apart} if self.neighbours else {}
                yield {
                    "name": name,
                    "image": coarse + offset,
                    "label": fine[:, :1, :rows] + offset,
                    "conditions": {"spacing": float(spacing), "thickness": thickness, **told},
                }

    def _noisy(self, coarse: torch.Tensor, sigma: float) -> tuple[torch.Tensor, float]:
        """Return ``(N, C, K, W)`` with noise, and its SD as a survey finds it."""
        if self.acquired == "mri":
            return add_rician_noise(coarse, sigma, torch.Generator().manual_seed(0)), SEEN_OF_RICIAN * sigma
        draw = ThickSliceNoise(self.acquired)
        noisy, seen = zip(*(draw(part, sigma, np.random.default_rng(n)) for n, part in enumerate(coarse)))
        return torch.stack(noisy), float(np.mean(seen))


Change = Callable[[torch.Tensor], torch.Tensor]


def _stack(plane: Plane, change: Change, magnitude: bool) -> Stack:
    parts = [change(part) for part in plane.signal.split(SLICES_AT_ONCE)]
    parts = [(part.abs() if magnitude else part.real) if part.is_complex() else part for part in parts]
    slices = torch.cat([part.half() for part in parts])[:, 0]
    some = slices[torch.linspace(0, len(slices) - 1, min(8, len(slices))).long()].float().numpy()
    along_h, along_w = (
        apart * new / old for apart, new, old in zip(plane.apart, slices.shape[-2:], plane.signal.shape[-2:])
    )
    return Stack(slices, plane.offset, plane.weight / 3, noise_level(some), (along_h, along_w))


def _as_it_is(size: tuple[int, int], random: np.random.Generator, smallest: int) -> Change:
    return lambda slices: slices


def _coarser(size: tuple[int, int], random: np.random.Generator, smallest: int) -> Change:
    least = min(1.0, max(SMALLEST_SHRINK, smallest / min(size)))
    shrink = random.uniform(least, 1.0)
    height, width = (int(np.ceil(side * shrink)) for side in size)
    return lambda slices: kspace_resized(slices, (height, width))


def _zero_filled(size: tuple[int, int], random: np.random.Generator, smallest: int) -> Change:
    share = random.uniform(0.5, 0.95)
    height, width = (max(8, int(side * share)) for side in size)
    return lambda slices: kspace_resized(kspace_resized(slices, (height, width)), size)


def _softer_kernel(size: tuple[int, int], random: np.random.Generator, smallest: int) -> Change:
    mtf, f50 = list(MTFS.values())[random.integers(len(MTFS))], random.uniform(0.2, 0.5)
    return lambda slices: filtered(slices, lambda rows, columns: mtf(torch.hypot(rows, columns), f50))
