"""The terms that a discriminator judges by: its logits, and its features."""

from __future__ import annotations

import torch
from torch.nn import functional as F


class AdversarialLoss:
    """Binary cross-entropy on the discriminator's logits, of any shape.

    Args:
        relativistic: judge each logit against the mean logit of the other kind (Jolicoeur-Martineau 2018, the
            relativistic average discriminator that ESRGAN uses) instead of by itself (SRGAN, SRGAN-D).
    """

    def __init__(self, relativistic: bool = False):
        self.relativistic = relativistic

    def discriminator(self, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Return what the discriminator minimises; ``fake`` must come from a detached image."""
        fake, real = self._compared(fake, real)
        return (_cross_entropy(real, 1.0) + _cross_entropy(fake, 0.0)) / 2

    def generator(self, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Return what the generator minimises: to be taken for real, and, relativistic, for more so than the real."""
        if not self.relativistic:
            return _cross_entropy(fake, 1.0)
        fake, real = self._compared(fake, real.detach())
        return (_cross_entropy(fake, 1.0) + _cross_entropy(real, 0.0)) / 2

    def _compared(self, fake: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (fake - real.mean(), real - fake.mean()) if self.relativistic else (fake, real)


def _cross_entropy(logits: torch.Tensor, target: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def feature_matching(fake: list[torch.Tensor], real: list[torch.Tensor]) -> torch.Tensor:
    """Return the mean L1 distance of the discriminator's features, layer by layer (Wang et al. 2018, pix2pixHD)."""
    return sum(F.l1_loss(ours, theirs.detach()) for ours, theirs in zip(fake, real)) / len(fake)
