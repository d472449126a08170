"""Train the perceptual network, a VGG19, by tasks whose labels are free; nothing is downloaded.

A network that tells contrasts and degradations apart sees the textures that distinguish a sharp scan from a coarse one,
which is what the loss is for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from monai.engines import SupervisedTrainer
from torch import nn
from torch.nn import functional as F
from torch.utils.data import default_collate

from Training.data.labelled_patches import TASKS, LabelledPatches
from Training.losses.vgg19 import VGG19
from Training.runs.steps import descend, mixed_precision


class Classifier(nn.Module):
    """VGG19, the mean of its last features over the patch, and one linear layer a task.

    Args:
        width: channels of the first convolution; 64 is VGG19. tasks: of ``labelled_patches.TASKS``.
        classes: how many each task has.

    Raises:
        ValueError: an unknown task.
    """

    def __init__(self, width: int, tasks: Sequence[str], classes: Mapping[str, int]):
        super().__init__()
        if not tasks or set(tasks) - set(TASKS):
            raise ValueError(f"the tasks are some of {', '.join(TASKS)}, not {', '.join(tasks) or 'none'}")
        self.network = VGG19(width, batch_norm=True)
        self.heads = nn.ModuleDict({task: nn.Linear(8 * width, classes[task]) for task in tasks})

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = F.relu(self.network(image)).mean(dim=(-2, -1))
        return {task: head(features) for task, head in self.heads.items()}

    def write_vgg19(self, path: os.PathLike | str) -> None:
        """Write the VGG19 in float16, with batch normalisation folded into it, as safetensors: whole or not at all."""
        state = self.eval().network.folded().state_dict()
        partial = Path(path).with_suffix(".partial")
        safetensors.torch.save_file({key: value.half().contiguous().cpu() for key, value in state.items()}, partial)
        os.replace(partial, path)


class TaskUpdate:
    """One iteration, as the ``iteration_update`` of MONAI's ``SupervisedTrainer``: the tasks' cross-entropies, summed.

    Args:
        learning_rate: a function of the iteration.
        bfloat16: see ``steps.mixed_precision``. largest_gradient: see ``steps.descend``.
    """

    def __init__(
        self, learning_rate: Callable[[int], float], bfloat16: bool = False, largest_gradient: float | None = None
    ):
        self.learning_rate, self.bfloat16, self.largest_gradient = learning_rate, bfloat16, largest_gradient

    def __call__(self, engine: SupervisedTrainer, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | float]:
        """Return the loss, each task's part of it, and the learning rate."""
        images, labels = engine.prepare_batch(batch, engine.state.device, engine.non_blocking)
        engine.network.train()
        with mixed_precision(engine.state.device, self.bfloat16):
            answers = engine.inferer(images.contiguous(memory_format=torch.channels_last), engine.network)
        terms = {task: F.cross_entropy(answer.float(), _of(task, labels)) for task, answer in answers.items()}
        loss = sum(terms.values())
        rate = self.learning_rate(engine.state.iteration - 1)
        descend(engine.optimizer, loss, rate, self.largest_gradient)
        return {"loss": loss.detach(), **{task: term.detach() for task, term in terms.items()}, "learning_rate": rate}


class TaskAccuracy:
    """What ``RunLog`` measures of a ``Classifier``: the share of ``count`` patches that it names right, by task."""

    BATCH = 64

    def __init__(self, classifier: Classifier, patches: LabelledPatches, count: int = 512):
        self.classifier, self.patches, self.count = classifier, patches, count

    @torch.inference_mode()
    def measures(self, device: torch.device) -> dict[str, dict[str, float]]:
        """Return the accuracies, under "accuracy"."""
        self.classifier.eval()
        right: dict[str, int] = dict.fromkeys(self.classifier.heads, 0)
        for first in range(0, self.count, self.BATCH):
            batch = default_collate([self.patches[n] for n in range(first, min(first + self.BATCH, self.count))])
            for task, answer in self.classifier(batch["image"].to(device)).items():
                right[task] += int((answer.argmax(dim=1).cpu() == _of(task, batch["label"])).sum())
        return {"accuracy": {task: number / self.count for task, number in right.items()}}

    def images(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Return a few of the patches, side by side."""
        images = [self.patches[number]["image"] for number in range(8)]
        return {"patches": torch.cat(images, dim=-1).clamp(0, 1)}


def _of(task: str, labels: torch.Tensor) -> torch.Tensor:
    return labels[:, TASKS.index(task)]
