"""Pairs of reformats through thin and through thick slices, made of single sharp slices.

How a slice becomes such a pair is said in ``SuperResolutionLib.acquisition.thick_patches``. The data list is that of
``slice_pairs``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.operators import kspace_crop_to, kspace_resized
from SuperResolutionLib.acquisition.slice_profile import thick_slices
from SuperResolutionLib.acquisition.thick_patches import AREA, draw_patch, flipped_alike, slices_within
from SuperResolutionLib.models.networks import fine_rows
from Training.data.slice_pairs import EMPTY_PATCH, ENDLESS, SMALLEST_SHRINK, TRIES, read_planes

DRAWN_PROFILES = ("boxcar", "trapezoid", "gaussian")
"""Of the slices; the truncated sinc is left to tell whether a network takes a profile that it never saw."""


class ThroughPlanePairs(Dataset):
    """An endless set of random reformats; each is a pure function of the seed and its index.

    All pairs of an iteration share the slice spacing and the thickness, which are drawn anew for each. Half of the
    thicknesses equal the spacing, the others leave a gap or overlap. A third of the slices are first made coarser by a
    k-space crop, and a third are zero-filled, as scanners do: reformats are never to be sharper than the slices are.

    Items are dictionaries of "image", ``(1, K, W)``, "label", ``(1, fine_rows(K, spacing), W)``, float32 in the
    networks' units, and "conditions", the network's arguments "spacing" (in pixels) and "thickness" (in spacings).

    Args:
        data: folder of the volumes. datalist: what to take from it.
        batch: pairs in an iteration.
        rows: the most fine rows of a patch; smaller planes lower it.
        spacings: lowest and highest; drawn evenly on a logarithmic scale.
        thicknesses: lowest and highest FWHM of the slice profile, in spacings.
        noise: highest SD of Rician noise, in shares of the robust range. noisy: share of the patches that have any.
    """

    def __init__(
        self,
        data: os.PathLike | str,
        datalist: os.PathLike | str,
        batch: int,
        rows: int = 128,
        spacings: Sequence[float] = (1.25, 8.0),
        thicknesses: Sequence[float] = (0.6, 1.3),
        noise: float = 0.05,
        noisy: float = 0.35,
        seed: int = 0,
        section: str = "training",
    ):
        self.batch, self.seed, self.noise, self.noisy = batch, seed, noise, noisy
        self.spacings, self.thicknesses = spacings, thicknesses
        self.stacks, weights = [], []
        for number, plane in enumerate(read_planes(data, datalist, section)):
            for version, change in enumerate((_as_it_is, _coarser, _zero_filled)):
                random = np.random.default_rng((seed, number, version))
                slices = plane.signal[version * plane.every // 3 :: plane.every]
                self.stacks.append((change(slices, random, rows).half(), plane.offset))
                weights.append(plane.weight)
        self.rows = min(rows, *(min(stack.shape[-2:]) for stack, _ in self.stacks))
        self._chances = np.array(weights) / sum(weights)

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict:
        spacing, thickness = self._conditions(index // self.batch)
        random = np.random.default_rng((self.seed, index))
        stack, offset = self.stacks[random.choice(len(self.stacks), p=self._chances)]
        slices = slices_within(self.rows, spacing)
        rows = fine_rows(slices, spacing)
        profile = DRAWN_PROFILES[random.integers(len(DRAWN_PROFILES))]
        for _ in range(TRIES):
            image = stack[random.integers(len(stack)), 0]
            patch = draw_patch(image.T if random.integers(2) else image, rows, slices, random)
            if patch.thin.std() > EMPTY_PATCH:
                break
        coarse, fine = patch.thick(slices, spacing, thickness, profile), patch.thin
        is_noisy, share, number = random.random() < self.noisy, random.random(), int(random.integers(2**31))
        if is_noisy:
            coarse = add_rician_noise(coarse, self.noise * share, torch.Generator().manual_seed(number))
        width = AREA // slices
        if fine.shape[1] < width:
            coarse, fine = (torch.cat([part, part.flip(1)], 1).repeat(1, width)[:, :width] for part in (coarse, fine))
        brightness = random.uniform(0.75, 1.25)
        image, label = (brightness * part[None] + offset for part in flipped_alike(coarse, fine, random))
        return {"image": image, "label": label, "conditions": {"spacing": spacing, "thickness": thickness}}

    def _conditions(self, iteration: int) -> tuple[float, float]:
        random = np.random.default_rng((self.seed, iteration, 1))
        spacing = float(np.exp(random.uniform(*np.log(self.spacings))))
        return spacing, 1.0 if random.integers(2) else float(random.uniform(*self.thicknesses))


class ThroughPlaneValidation:
    """Fixed pairs of whole reformats, the same every time.

    Iterating yields, for every plane of the data list's section and each of a few acquisitions, a dictionary of "name",
    such as "4 px, gap 20 %", and "image", "label" and "conditions" as ``ThroughPlanePairs`` has them, ``(N, 1, K, W)``
    and ``(N, 1, K * spacing, W)``.

    Args:
        data, datalist, section: as of ``slice_pairs.ValidationSlices``. slices: how many of each plane.
    """

    ACQUISITIONS = {"3 px": (3, 1.0), "4 px": (4, 1.0), "6 px": (6, 1.0), "5 px, gap 20 %": (5, 0.8)}

    def __init__(
        self, data: os.PathLike | str, datalist: os.PathLike | str, slices: int = 4, section: str = "validation"
    ):
        self._truths = []
        for plane in read_planes(data, datalist, section):
            chosen = plane.signal[torch.linspace(0, len(plane.signal) - 1, slices + 2).long()[1:-1]]
            self._truths += [(chosen, plane.offset), (chosen.swapaxes(-1, -2), plane.offset)]

    def __iter__(self) -> Iterator[dict]:
        for fine, offset in self._truths:
            for name, (spacing, thickness) in self.ACQUISITIONS.items():
                slices = fine.shape[-2] // spacing
                rows = slices * spacing
                coarse = torch.stack(
                    [thick_slices(image[0], 0, rows, slices, spacing, thickness, "gaussian") for image in fine]
                )
                yield {
                    "name": name,
                    "image": coarse[:, None] + offset,
                    "label": fine[..., :rows, :] + offset,
                    "conditions": {"spacing": float(spacing), "thickness": thickness},
                }


def _as_it_is(slices: torch.Tensor, random: np.random.Generator, smallest: int) -> torch.Tensor:
    return slices


def _coarser(slices: torch.Tensor, random: np.random.Generator, smallest: int) -> torch.Tensor:
    least = min(1.0, max(SMALLEST_SHRINK, smallest / min(slices.shape[-2:])))
    shrink = random.uniform(least, 1.0)
    return kspace_crop_to(slices, tuple(int(np.ceil(size * shrink)) for size in slices.shape[-2:]))


def _zero_filled(slices: torch.Tensor, random: np.random.Generator, smallest: int) -> torch.Tensor:
    size = tuple(slices.shape[-2:])
    share = random.uniform(0.5, 0.95)
    kept = tuple(max(8, int(length * share)) for length in size)
    return kspace_resized(kspace_resized(slices, kept), size).abs()
