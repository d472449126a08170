"""The expected error: a head on a frozen network that learns how far the network is off, from the likelihood of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import numpy as np
import torch
from monai.engines import SupervisedTrainer

from SuperResolutionLib.evaluation.metrics import foreground
from SuperResolutionLib.models.networks import NETWORKS
from SuperResolutionLib.models.networks.error_head import NetworkWithError, new_error_head
from SuperResolutionLib.upscaling.grain import Grain
from Training.runs.checkpoints import read_start
from Training.runs.steps import WeightAverage, descend, mixed_precision


def network_with_new_head(start: os.PathLike | str) -> NetworkWithError:
    """Return the network of a checkpoint or a model folder, its weights frozen, with an untrained error head.

    Raises:
        InputError: a folder that holds no model.
    """
    state = read_start(start)
    architecture = state["architecture"]
    network = NETWORKS[architecture["name"]](factor=architecture["factor"], **architecture["arguments"])
    network.load_state_dict(state["average"])
    return NetworkWithError(network.requires_grad_(False), new_error_head(network))


def as_the_program_gives_it(image: torch.Tensor, coarse: torch.Tensor, factor: int) -> torch.Tensor:
    """Return a network's image with the grain that the program adds to a refined slice plane; others as they are.

    Args:
        image: ``(N, 1, H, W)``. coarse: ``(N, C, h, w)``, its input.
    """
    if image.shape[-2:] != tuple(factor * side for side in coarse.shape[-2:]):
        return image
    return Grain(None).added(image, coarse[:, :1], factor)


class ErrorUpdate:
    """One iteration, as the ``iteration_update`` of MONAI's ``SupervisedTrainer``, of a ``NetworkWithError``.

    The loss is the negative logarithm of a Laplace distribution's likelihood, whose scale is what the head answers: at
    its lowest the scale is the mean of the absolute error, for all pixels that look alike.

    Args:
        learning_rate: a function of the iteration. average: of the weights.
        bfloat16: see ``steps.mixed_precision``. largest_gradient: see ``steps.descend``.
        iterations: of the whole run; nothing depends on it here.
    """

    def __init__(
        self,
        learning_rate: Callable[[int], float],
        average: WeightAverage,
        bfloat16: bool = False,
        largest_gradient: float | None = None,
        iterations: int | None = None,
    ):
        self.learning_rate, self.average = learning_rate, average
        self.bfloat16, self.largest_gradient = bfloat16, largest_gradient

    def __call__(self, engine: SupervisedTrainer, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | float]:
        """Return the loss, the mean error, as it is and as it is predicted, and the learning rate."""
        coarse, fine = engine.prepare_batch(batch, engine.state.device, engine.non_blocking)
        conditions = {name: values[0].item() for name, values in batch.get("conditions", {}).items()}
        own = {name: values.to(coarse) for name, values in batch.get("own_conditions", {}).items()}
        with mixed_precision(engine.state.device, self.bfloat16):
            answer = engine.inferer(coarse, engine.network, **conditions, **own)
        image, scale = answer.float().split(1, dim=1)
        error = (as_the_program_gives_it(image.detach(), coarse, self.average.average.factor) - fine).abs()
        loss = (scale.log() + error / scale).mean()
        rate = self.learning_rate(engine.state.iteration - 1)
        descend(engine.optimizer, loss, rate, self.largest_gradient)
        self.average.update(engine.network, engine.state.iteration - 1)
        return {
            "loss": loss.detach(),
            "error": error.mean(),
            "predicted": scale.detach().mean(),
            "learning_rate": rate,
        }


class ErrorOnUnseen:
    """Measures a ``NetworkWithError`` by whole slices of unseen volumes, in the patient.

    Args:
        network: the network. slices: as of ``validation.GainOverCubic``.
    """

    def __init__(self, network: NetworkWithError, slices: Iterable[dict]):
        self.network, self.slices = network, slices

    def measures(self, device: torch.device) -> dict[str, dict[str, float]]:
        """Return by degradation "within", the share of pixels no farther off than predicted, and "rank_correlation"."""
        found: dict[str, dict[str, list[float]]] = {"within": {}, "rank_correlation": {}}
        for item in self.slices:
            error, scale = self._error_and_scale(item, device)
            found["within"].setdefault(item["name"], []).append(float((error <= scale).mean()))
            found["rank_correlation"].setdefault(item["name"], []).append(_rank_correlation(error, scale))
        return {
            measure: {name: float(np.mean(values)) for name, values in numbers.items()}
            for measure, numbers in found.items()
        }

    def images(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Return no pictures."""
        return {}

    @torch.no_grad()
    def _error_and_scale(self, item: dict, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
        coarse, truth = item["image"][:2].to(device), item["label"][:2].to(device)
        image, scale = self.network(coarse, **item.get("conditions", {})).split(1, dim=1)
        error = (as_the_program_gives_it(image, coarse, self.network.factor) - truth).abs()
        patient = foreground(truth[:, 0].cpu().numpy())
        return error[:, 0].cpu().numpy()[patient], scale[:, 0].cpu().numpy()[patient]


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    ranks = [values.argsort(kind="stable").argsort() for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])
