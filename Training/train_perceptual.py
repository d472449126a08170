"""Train the perceptual network: VGG19 on medical slices, by tasks whose labels are free.

    python -m Training.train_perceptual --data FOLDER --out runs/vgg.safetensors --tasks contrast degradation

``contrast`` names the data list's group (sequence and body part) of a patch; ``degradation`` names how it was degraded:
the share of k-space that was kept, and noise. A network that tells these apart sees the textures that distinguish a
sharp scan from a coarse one, which is what the loss is for; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from SuperResolutionLib.acquisition import add_rician_noise, kspace_crop_to
from SuperResolutionLib.intensity import IntensityScale
from SuperResolutionLib.volume_files import read_volume
from Training.data_list import read_data_list
from Training.perceptual import VGG19

CONFIGS = Path(__file__).parent / "configs"
KEPT_SHARES, NOISES = (1.0, 0.7, 0.5, 0.25), (0.0, 0.03)
TASKS = ("contrast", "degradation")


@dataclass(frozen=True)
class LabelledPatches:
    """Patches of one section of a data list with their labels.

    ``slices[n][d]`` is ``(H, W)``: slice ``n`` in its ``d``-th degradation, on its own grid; ``contrasts[n]`` is the
    index of its group.
    """

    slices: list[torch.Tensor]
    contrasts: list[int]
    patch: int

    @classmethod
    def read(cls, datalist: Path, folder: Path, section: str, patch: int, per_volume: int = 8) -> LabelledPatches:
        """Degrade ``per_volume`` slices of each volume in every way; slices smaller than ``patch`` are left out."""
        listing = read_data_list(datalist)
        groups = sorted(listing["group_weights"])
        slices, contrasts = [], []
        generator = torch.Generator().manual_seed(0)
        for entry in listing[section]:
            volume = read_volume(folder / entry["image"])
            scale = IntensityScale.of(volume.voxels)
            zero = (entry.get("no_signal", 0) - scale.low) / scale.span
            planes = np.moveaxis(volume.voxels, "kji".index(entry["slice_axes"][0]), 0)
            chosen = np.linspace(0, len(planes) - 1, per_volume + 2).astype(int)[1:-1]
            for plane in torch.from_numpy(scale.normalise(planes[chosen]))[:, None, None]:
                if min(plane.shape[-2:]) < patch:
                    continue
                ways = [
                    _degraded(plane - zero, share, noise, generator) + zero for share in KEPT_SHARES for noise in NOISES
                ]
                slices.append(torch.stack(ways).half())
                contrasts.append(groups.index(entry["group"]))
        return cls(slices, contrasts, patch)

    def batch(self, count: int, random: np.random.Generator) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return ``(count, 1, patch, patch)`` and the labels of each task, ``(count,)``."""
        images, labels = [], {task: [] for task in TASKS}
        for _ in range(count):
            index, way = int(random.integers(len(self.slices))), int(random.integers(len(KEPT_SHARES) * len(NOISES)))
            image = self.slices[index][way]
            top, left = (int(random.integers(size - self.patch + 1)) for size in image.shape)
            image = image[top : top + self.patch, left : left + self.patch].float()
            images.append(torch.rot90(image, int(random.integers(4))) * random.uniform(0.75, 1.25))
            labels["contrast"].append(self.contrasts[index])
            labels["degradation"].append(way)
        return torch.stack(images)[:, None], {task: torch.tensor(values) for task, values in labels.items()}


def _degraded(plane: torch.Tensor, share: float, noise: float, generator: torch.Generator) -> torch.Tensor:
    """Return ``(1, 1, H, W)`` with ``share`` of its k-space per axis and noise at that resolution, as ``(H, W)``."""
    size = plane.shape[-2:]
    coarse = kspace_crop_to(plane, tuple(round(share * side) for side in size))
    noisy = add_rician_noise(coarse, noise, generator) if noise else coarse
    return F.interpolate(noisy, size=size, mode="bicubic", align_corners=False)[0, 0]


class Classifier(nn.Module):
    """VGG19, the mean of its last features over the patch, and one linear layer a task."""

    def __init__(self, width: int, tasks: dict[str, int]):
        super().__init__()
        self.network = VGG19(width, batch_norm=True)
        self.heads = nn.ModuleDict({task: nn.Linear(8 * width, classes) for task, classes in tasks.items()})

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = F.relu(self.network(image)).mean(dim=(-2, -1))
        return {task: head(features) for task, head in self.heads.items()}


def train_perceptual(
    data: Path,
    datalist: Path,
    out: Path,
    tasks: list[str],
    width: int = 64,
    iterations: int = 5000,
    batch: int = 32,
    patch: int = 96,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> dict[str, float]:
    """Train on ``tasks``, write the network (batch normalisation folded) to ``out``, return the accuracies.

    The accuracies, in [0, 1], are over patches of the validation volumes.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    training, unseen = (LabelledPatches.read(datalist, data, part, patch) for part in ("training", "validation"))
    groups = read_data_list(datalist)["group_weights"]
    classes = {"contrast": len(groups), "degradation": len(KEPT_SHARES) * len(NOISES)}
    classifier = Classifier(width, {task: classes[task] for task in tasks}).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=iterations)
    for _ in tqdm(range(iterations), desc="perceptual network"):
        images, labels = training.batch(batch, random)
        answers = classifier(images.contiguous(memory_format=torch.channels_last))
        loss = sum(F.cross_entropy(answers[task], labels[task]) for task in tasks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    accuracies = _accuracies(classifier.eval(), unseen)
    out.parent.mkdir(parents=True, exist_ok=True)
    state = {key: value.half().contiguous() for key, value in classifier.network.folded().state_dict().items()}
    safetensors.torch.save_file(state, out.with_suffix(".partial"))
    os.replace(out.with_suffix(".partial"), out)
    return accuracies


@torch.inference_mode()
def _accuracies(classifier: Classifier, patches: LabelledPatches, batches: int = 8) -> dict[str, float]:
    random = np.random.default_rng(0)
    right: dict[str, list[float]] = {}
    for _ in range(batches):
        images, labels = patches.batch(64, random)
        for task, answer in classifier(images).items():
            right.setdefault(task, []).append((answer.argmax(dim=1) == labels[task]).float().mean().item())
    return {task: sum(values) / batches for task, values in right.items()}


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the volumes that the data list names")
    parser.add_argument("--datalist", type=Path, default=CONFIGS / "datalist_mri.json")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--width", type=int, default=64, help="channels of the first convolution; 64 is VGG19")
    parser.add_argument("--iterations", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    print(json.dumps(train_perceptual(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
