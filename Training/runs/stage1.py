"""Stage 1: the fidelity network, trained by comparing images (SR-RRDB in the SRGAN-D paper)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.engines import SupervisedTrainer

from Training.data.phases import Phases
from Training.losses.terms import IMAGE_TERMS, check_terms, weighted_sum
from Training.runs.steps import WeightAverage, descend, mixed_precision


class FidelityUpdate:
    """One iteration, as the ``iteration_update`` of MONAI's ``SupervisedTrainer``.

    The trainer's ``loss_function`` must be a ``terms.ImageTerms``.

    Args:
        loss: the weights of the terms, as ``phases.Phases`` takes them. L1 learns faster; its optimum is the median
            of what is likely, and PSNR asks for the mean, which a last phase of MSE learns (Lim et al. 2017 compare
            the two).
        iterations: of the whole run.
        learning_rate: a function of the iteration.
        average: of the network's weights.
        bfloat16: see ``steps.mixed_precision``. largest_gradient: see ``steps.descend``.

    A batch may have "conditions", keyword arguments of the network that all its pairs share, each repeated by pair, and
    "own_conditions", which are tensors with a value for each pair.

    Raises:
        ValueError: a term that stage 1 does not have.
    """

    def __init__(
        self,
        loss: list[dict],
        iterations: int,
        learning_rate: Callable[[int], float],
        average: WeightAverage,
        bfloat16: bool = False,
        largest_gradient: float | None = None,
    ):
        self.weights, self.learning_rate, self.average = Phases(loss, iterations), learning_rate, average
        self.bfloat16, self.largest_gradient = bfloat16, largest_gradient
        check_terms(self.weights.names, IMAGE_TERMS)

    def __call__(self, engine: SupervisedTrainer, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | float]:
        """Return the loss, its terms and the learning rate."""
        iteration = engine.state.iteration - 1
        coarse, fine = engine.prepare_batch(batch, engine.state.device, engine.non_blocking)
        conditions = {name: values[0].item() for name, values in batch.get("conditions", {}).items()}
        own = {name: values.to(coarse) for name, values in batch.get("own_conditions", {}).items()}
        with mixed_precision(engine.state.device, self.bfloat16):
            image = engine.inferer(coarse, engine.network, **conditions, **own)
        weights = self.weights(iteration)
        terms = engine.loss_function(weights, image.float(), fine, coarse)
        loss = weighted_sum(terms, weights)
        rate = self.learning_rate(iteration)
        descend(engine.optimizer, loss, rate, self.largest_gradient)
        self.average.update(engine.network, iteration)
        detached = {name: term.detach() for name, term in terms.items()}
        return {"loss": loss.detach(), **detached, "learning_rate": rate}
