"""Stage 2: the perceptual network, trained against a discriminator from where stage 1 ended (SRGAN-D)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.engines import AdversarialTrainer

from Training.data.phases import Phases
from Training.losses.adversarial import AdversarialLoss, feature_matching
from Training.losses.critic_view import CriticView
from Training.losses.terms import IMAGE_TERMS, check_terms, weighted_sum
from Training.runs.steps import WeightAverage, descend, mixed_precision

TERMS = (*IMAGE_TERMS, "adversarial", "feature_matching")


class AdversarialUpdate:
    """One iteration, as the ``iteration_update`` of MONAI's ``AdversarialTrainer``.

    The trainer's own iteration shows the discriminator the generator's *inputs* as the real images; here the real
    images are the fine ones. The trainer's ``recon_loss_function`` must be a ``terms.ImageTerms``.

    Args:
        loss: the weights of the terms, as ``phases.Phases`` takes them.
        adversarial: what generator and discriminator minimise.
        iterations: of the whole run.
        learning_rate: of both optimisers, a function of the iteration.
        average: of the generator's weights.
        discriminator: the bare discriminator, without its data-parallel wrapper.
        dropout: its dropout until the share ``dropout_until`` of the iterations, 0 from there: while it is on, the
            scale of the generator's output drifts.
        view: what the discriminator and the terms "steepness" and "perceptual" see of result and truth.
        instance_noise: SD of white noise that is added to both images before the discriminator (Sonderby et al. 2017,
            "Amortised MAP inference for image super-resolution"), lest it judge by the scanner's noise that the truth
            has and the result has not.
        bfloat16: see ``steps.mixed_precision``. largest_gradient: see ``steps.descend``.

    Raises:
        ValueError: a term that stage 2 does not have.
    """

    def __init__(
        self,
        loss: list[dict],
        adversarial: AdversarialLoss,
        iterations: int,
        learning_rate: Callable[[int], float],
        average: WeightAverage,
        discriminator: torch.nn.Module,
        dropout: float,
        dropout_until: float,
        view: CriticView,
        instance_noise: float = 0.0,
        bfloat16: bool = False,
        largest_gradient: float | None = None,
    ):
        self.weights, self.learning_rate, self.average = Phases(loss, iterations), learning_rate, average
        check_terms(self.weights.names, TERMS)
        self.adversarial, self.discriminator = adversarial, discriminator
        self.dropout, self.last_with_dropout = dropout, dropout_until * iterations
        self.view, self.instance_noise = view, instance_noise
        self.bfloat16, self.largest_gradient = bfloat16, largest_gradient

    def __call__(self, engine: AdversarialTrainer, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | float]:
        """Return the generator's loss, its terms, the discriminator's loss and the learning rate."""
        iteration = engine.state.iteration - 1
        coarse, fine = engine.prepare_batch(batch, engine.state.device, engine.non_blocking)
        self.discriminator.set_dropout(self.dropout if iteration < self.last_with_dropout else 0.0)
        weights, rate = self.weights(iteration), self.learning_rate(iteration)

        with mixed_precision(engine.state.device, self.bfloat16):
            image = engine.g_inferer(coarse, engine.state.g_network)
        image = image.float()
        seen = self.view(image, fine)
        terms = engine.state.recon_loss_function(weights, image, fine, coarse, seen)
        noise = self.instance_noise * torch.randn_like(seen[1])
        judged = [part + noise for part in seen]
        terms.update(self._terms_by_discriminator(weights, *judged))
        loss = weighted_sum(terms, weights)
        descend(engine.state.g_optimizer, loss, rate, self.largest_gradient)
        self.average.update(engine.state.g_network, iteration)

        with mixed_precision(engine.state.device, self.bfloat16):
            fake = engine.d_inferer(judged[0].detach(), engine.state.d_network)
            real = engine.d_inferer(judged[1], engine.state.d_network)
        discriminator_loss = self.adversarial.discriminator(fake.float(), real.float())
        descend(engine.state.d_optimizer, discriminator_loss, rate, self.largest_gradient)

        terms["discriminator"] = discriminator_loss
        detached = {name: term.detach() for name, term in terms.items()}
        return {"loss": loss.detach(), **detached, "learning_rate": rate}

    def _terms_by_discriminator(
        self, weights: dict[str, float], image: torch.Tensor, truth: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        # The bare network, with frozen weights: its gradients in the generator's step are neither needed nor exchanged.
        self.discriminator.requires_grad_(False)
        with mixed_precision(image.device, self.bfloat16):
            fake_features = self.discriminator.features(image)
            fake = self.discriminator.head(fake_features[-1])
            with torch.no_grad():
                real_features = self.discriminator.features(truth)
                real = self.discriminator.head(real_features[-1])
        self.discriminator.requires_grad_(True)
        terms = {"adversarial": self.adversarial.generator(fake.float(), real.float())}
        if "feature_matching" in weights:
            terms["feature_matching"] = feature_matching(fake_features, real_features)
        return terms
