"""The terms of a generator's loss that need no discriminator, by the names that configurations weigh them with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import torch

from Training.losses.consistency import ConsistencyLoss
from Training.losses.lattice import LatticeLoss
from Training.losses.perceptual import PerceptualLoss
from Training.losses.pixel import PixelLoss
from Training.losses.steepness import steepness_distance

PIXEL_TERMS = ("l1", "mse", "charbonnier")
IMAGE_TERMS = (*PIXEL_TERMS, "consistency", "lattice", "steepness", "perceptual")


class ImageTerms:
    """Computes ``IMAGE_TERMS``.

    Args:
        factor: fine voxels to a coarse one.
        device: where the images will be.
        held_band: of "consistency"; see ``consistency.ConsistencyLoss``.
        perceptual_weights, perceptual_layers: the VGG19 of "perceptual"; see ``perceptual.PerceptualLoss``.
    """

    def __init__(
        self,
        factor: int,
        device: torch.device,
        held_band: float,
        perceptual_weights: os.PathLike | str | None = None,
        perceptual_layers: Sequence[int] = (16,),
    ):
        self.factor = factor
        self.comparisons = {kind: PixelLoss(kind) for kind in PIXEL_TERMS}
        if perceptual_weights:
            self.comparisons["perceptual"] = PerceptualLoss(perceptual_weights, perceptual_layers).to(device)
        self.comparisons["lattice"] = LatticeLoss(factor)
        self.consistency = ConsistencyLoss(held_band)

    def __call__(
        self,
        names: Iterable[str],
        image: torch.Tensor,
        truth: torch.Tensor,
        coarse: torch.Tensor,
        seen: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return those of ``names`` that are image terms, unweighted.

        Args:
            names: may name other terms, too, which are left out.
            image, truth: ``(N, 1, factor * h, factor * w)``. coarse: the network's input, ``(N, C, h, w)``.
            seen: what "steepness" and "perceptual" compare in place of ``image`` and ``truth``; see
                ``critic_view.CriticView``.

        Raises:
            ValueError: "perceptual" without weights for it.
        """
        found = {}
        for name in names:
            if name == "consistency":
                found[name] = self.consistency(image, coarse[:, :1], self.factor)
            elif name == "steepness":
                found[name] = steepness_distance(*(seen or (image, truth)))
            elif name == "perceptual":
                if name not in self.comparisons:
                    raise ValueError("the perceptual term needs a VGG19; name its file as perceptual_weights")
                found[name] = self.comparisons[name](*(seen or (image, truth)))
            elif name in self.comparisons:
                found[name] = self.comparisons[name](image, truth)
        return found


def check_terms(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse unknown terms before the run starts and not in the phase that first uses them.

    Raises:
        ValueError: a name that is not among ``known``.
    """
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"there is no loss term {', '.join(unknown)}; choose of {', '.join(known)}")


def weighted_sum(terms: Mapping[str, torch.Tensor], weights: Mapping[str, float]) -> torch.Tensor:
    """Return the sum of the terms, each times its weight."""
    return sum(weight * terms[name] for name, weight in weights.items())
