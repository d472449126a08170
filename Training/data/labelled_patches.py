"""Patches of medical slices whose labels are free: the contrast, and how the patch was degraded."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import Dataset

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.operators import kspace_crop_to
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale
from Training.data.lists import read_data_list
from Training.data.slice_pairs import ENDLESS

TASKS = ("contrast", "degradation")
KEPT_SHARES, NOISES = (1.0, 0.7, 0.5, 0.25), (0.0, 0.03)


class LabelledPatches(Dataset):
    """An endless set of random patches, each a pure function of the seed and its index.

    Items are dictionaries of "image", ``(1, patch, patch)`` float32 in the networks' units, and "label", one integer
    for each of ``TASKS``: the data list's group (sequence and body part), and the way of degradation, one of eight (the
    share of k-space that was kept along both axes, without and with 3 % Rician noise; interpolated to the slice's own
    grid).

    Args:
        data: folder of the volumes. datalist: what to take from it.
        patch: side of a patch; slices that are smaller are left out.
        slices: of each volume, evenly spread. section: the part of the data list.

    Raises:
        InputError: a volume is missing or cannot be read.
        ValueError: no slice is as large as a patch.
    """

    def __init__(
        self,
        data: os.PathLike | str,
        datalist: os.PathLike | str,
        patch: int,
        seed: int = 0,
        slices: int = 8,
        section: str = "training",
    ):
        self.patch, self.seed = patch, seed
        listing = read_data_list(datalist)
        groups = sorted(listing["group_weights"])
        self.classes = {"contrast": len(groups), "degradation": len(KEPT_SHARES) * len(NOISES)}
        self._slices, self._contrasts = [], []
        generator = torch.Generator().manual_seed(0)
        for entry in listing[section]:
            volume = read_volume(Path(data) / entry["image"])
            scale = IntensityScale.of(volume.voxels)
            zero = (entry.get("no_signal", 0) - scale.low) / scale.span
            planes = np.moveaxis(volume.voxels, "kji".index(entry["slice_axes"][0]), 0)
            chosen = np.linspace(0, len(planes) - 1, slices + 2).astype(int)[1:-1]
            for plane in torch.from_numpy(scale.normalise(planes[chosen]))[:, None, None]:
                if min(plane.shape[-2:]) < patch:
                    continue
                ways = [
                    _degraded(plane - zero, share, noise, generator) + zero for share in KEPT_SHARES for noise in NOISES
                ]
                self._slices.append(torch.stack(ways).half())
                self._contrasts.append(groups.index(entry["group"]))
        if not self._slices:
            raise ValueError(
                f"No slice of {datalist} ({section}) is as large as a patch of {patch}; take a smaller one."
            )

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        random = np.random.default_rng((self.seed, index))
        number, way = (int(random.integers(n)) for n in (len(self._slices), self.classes["degradation"]))
        image = self._slices[number][way]
        top, left = (int(random.integers(size - self.patch + 1)) for size in image.shape)
        image = image[top : top + self.patch, left : left + self.patch].float()
        image = torch.rot90(image, int(random.integers(4))) * random.uniform(0.75, 1.25)
        return {"image": image[None], "label": torch.tensor([self._contrasts[number], way])}


def _degraded(plane: torch.Tensor, share: float, noise: float, generator: torch.Generator) -> torch.Tensor:
    """Return ``(1, 1, H, W)`` with ``share`` of its k-space per axis and noise at that resolution, as ``(H, W)``."""
    size = plane.shape[-2:]
    coarse = kspace_crop_to(plane, tuple(round(share * side) for side in size))
    noisy = add_rician_noise(coarse, noise, generator) if noise else coarse
    return F.interpolate(noisy, size=size, mode="bicubic", align_corners=False)[0, 0]
