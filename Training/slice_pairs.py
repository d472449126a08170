"""Pairs of fine and coarse slices for training, cut from whole volumes.

Slices are degraded whole, once, and patches are cut from both at matching places: a k-space crop of a patch would wrap
at the patch's borders, which no scanner does. Noise is drawn anew for every patch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.acquisition import OPERATORS, add_rician_noise, kspace_crop_to
from SuperResolutionLib.intensity import IntensityScale
from SuperResolutionLib.volume_files import read_volume


@dataclass(frozen=True)
class Degradation:
    """How training pairs are made: the operators' shares, and Rician noise at low resolution."""

    shares: dict[str, float]
    noisy_share: float
    largest_noise: float


@dataclass
class SliceStack:
    """All fine slices of one volume in one plane and one augmentation, with their coarse versions.

    ``fine`` is ``(N, H, W)`` float16 in normalised units and ``coarse[operator]`` is ``(N, H / factor, W / factor)``;
    ``zero`` is the normalised value at which a magnitude image has no signal.
    """

    weight: float
    zero: float
    fine: torch.Tensor
    coarse: dict[str, torch.Tensor]


def read_stacks(
    datalist: Path,
    folder: Path,
    factor: int,
    seed: int,
    versions: int = 3,
    smallest: int = 128,
    section: str = "training",
) -> list[SliceStack]:
    """Read every volume of one section of ``datalist`` and degrade its slices.

    The list is JSON: ``{"group_weights": {contrast: share}, "training": [{"image": file, "group": contrast,
    "slice_axes": "k", "every": 1}, ...], "validation": [...]}``; of the slices across each axis every ``every``-th is
    kept, others in each version. Each version after the first is moved by a random fraction of a coarse voxel, and
    every second one is first made coarser by a k-space crop to between 0.6 and 1 of its matrix (``smallest`` at
    least), which also sharpens content that did not reach the Nyquist frequency.
    """
    listing = json.loads(datalist.read_text(encoding="utf-8"))
    counts: dict[str, int] = {}
    for entry in listing[section]:
        counts[entry["group"]] = counts.get(entry["group"], 0) + len(entry["slice_axes"])
    random = np.random.default_rng(seed)
    stacks = []
    for entry in listing[section]:
        volume = read_volume(folder / entry["image"])
        scale = IntensityScale.of(volume.voxels)
        weight = listing["group_weights"][entry["group"]] / counts[entry["group"]]
        for axis in entry["slice_axes"]:
            slices = np.moveaxis(scale.normalise(volume.voxels), "kji".index(axis), 0)
            content = slices.std(axis=(1, 2))
            slices = slices[content > 0.25 * content.max()]
            for version in range(versions):
                chosen = slices[version * entry["every"] // versions :: entry["every"]]
                fine = torch.from_numpy(np.ascontiguousarray(chosen))[:, None]
                if version % 2:
                    least = min(1.0, max(0.6, smallest / min(fine.shape[-2:])))
                    shrink = random.uniform(least, 1.0)
                    fine = kspace_crop_to(fine, tuple(int(np.ceil(size * shrink)) for size in fine.shape[-2:]))
                if version:
                    top, left = random.integers(0, factor, 2)
                    fine = fine[..., top:, left:]
                height, width = (size // factor * factor for size in fine.shape[-2:])
                fine = fine[..., :height, :width]
                coarse = {name: operator(fine, factor)[:, 0].half() for name, operator in OPERATORS.items()}
                stacks.append(SliceStack(weight / versions, -scale.low / scale.span, fine[:, 0].half(), coarse))
    return stacks


class PairSampler:
    """Draws batches of coarse and fine patches, by volume weight, with flips, turns and brightness jitter."""

    def __init__(self, stacks: list[SliceStack], degradation: Degradation, factor: int, coarse_size: int, seed: int):
        self.stacks, self.degradation, self.factor, self.size = stacks, degradation, factor, coarse_size
        self.random = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        weights = np.array([stack.weight for stack in stacks])
        self.weights = weights / weights.sum()

    def patch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one coarse ``(size, size)`` and its fine ``(factor * size, factor * size)`` patch."""
        random, size, factor = self.random, self.size, self.factor
        stack = self.stacks[random.choice(len(self.stacks), p=self.weights)]
        names = list(self.degradation.shares)
        images = stack.coarse[random.choice(names, p=list(self.degradation.shares.values()))]
        count, height, width = images.shape
        for _ in range(4):
            index, top, left = (int(random.integers(n)) for n in (count, height - size + 1, width - size + 1))
            coarse = images[index, top : top + size, left : left + size].float()
            if coarse.std() > 0.05:
                break
        fine = stack.fine[index, factor * top : factor * (top + size), factor * left : factor * (left + size)].float()
        if random.random() < self.degradation.noisy_share:
            sigma = random.uniform(0, self.degradation.largest_noise)
            coarse = add_rician_noise(coarse - stack.zero, sigma, self.generator) + stack.zero
        turns, flip, gain = int(random.integers(4)), random.random() < 0.5, random.uniform(0.75, 1.25)
        return tuple(gain * torch.rot90(p.flip(-1) if flip else p, turns, (-2, -1)) for p in (coarse, fine))

    def batch(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``count`` pairs as ``(count, 1, size, size)`` and ``(count, 1, factor * size, factor * size)``."""
        coarse, fine = zip(*(self.patch() for _ in range(count)))
        return torch.stack(coarse)[:, None], torch.stack(fine)[:, None]

    def state(self) -> dict:
        """Return the random state, so that a resumed run draws what the killed one would have drawn."""
        return {"numpy": json.dumps(self.random.bit_generator.state), "torch": self.generator.get_state()}

    def set_state(self, state: dict) -> None:
        """Go on from a ``state()``."""
        self.random.bit_generator.state = json.loads(state["numpy"])
        self.generator.set_state(state["torch"])
