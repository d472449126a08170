"""The terms of both stages' losses, each a plain function of image batches, features or logits."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from SuperResolutionLib.upscaling.consistency import HeldBand

STEEPNESS_WINDOW = 7


class PixelLoss(nn.Module):
    """The mean distance of two image batches of the same shape.

    Args:
        kind: ``"l1"``, ``"mse"`` or ``"charbonnier"``: ``sqrt(d^2 + 1e-6)``, an L1 that is smooth at 0 (Lai et al.
            2017, LapSRN).

    Raises:
        ValueError: an unknown kind.
    """

    def __init__(self, kind: str = "l1"):
        super().__init__()
        if kind not in ("l1", "mse", "charbonnier"):
            raise ValueError(f"the pixel loss is 'l1', 'mse' or 'charbonnier', not {kind!r}")
        self.kind = kind

    def forward(self, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if self.kind == "l1":
            return F.l1_loss(image, truth)
        if self.kind == "mse":
            return F.mse_loss(image, truth)
        return ((image - truth).square() + 1e-6).sqrt().mean()


class LatticeLoss:
    """How far a result repeats a pattern from one coarse voxel to the next that the truth does not have.

    A pixel shuffle gives each of the ``factor ** 2`` places within a coarse voxel its own weights, so that a network
    can draw a regular hatching over smooth tissue, and combs along edges. The errors of an image are as often positive
    as negative at each place; those of such a pattern are not. They are averaged along rows of coarse voxels and along
    columns, so that a comb on one line of voxels counts in full, and an edge that is as wrong everywhere does not.

    Args:
        factor: fine voxels to a coarse one.
        length: of the rows and columns, in coarse voxels; at most a patch.
    """

    def __init__(self, factor: int, length: int = 7):
        self.factor, self.length = factor, length

    def __call__(self, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Return the mean square of what repeats along an axis beyond the mean over the places along it."""
        error = F.pixel_unshuffle(image - truth, self.factor).unflatten(1, (self.factor, self.factor))
        found = 0.0
        for axis, window in ((1, (self.length, 1)), (2, (1, self.length))):
            varying = error - error.mean(dim=axis, keepdim=True)
            found = found + F.avg_pool2d(varying.flatten(1, 2), window, stride=1).square().mean()
        return found


def steepness_distance(image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the mean L1 distance of how steep two image batches are, each point's neighbourhood taken together.

    Steepness is the root of the mean square gradient in windows of 7 x 7. An edge that is as high but flatter has less
    of it; one that is as steep but a voxel off has as much in most of the windows. Where an edge could be in several
    places this asks for one of them; a comparison point by point, of images or of gradients (Ma et al. 2020, SPSR),
    asks for their mean. Combs along an edge are steep, too: use it with ``LatticeLoss``.
    """
    return F.l1_loss(_steepness(image), _steepness(truth))


def _steepness(image: torch.Tensor) -> torch.Tensor:
    across, down = (
        (image[..., 1:-1, 2:] - image[..., 1:-1, :-2]) / 2,
        (image[..., 2:, 1:-1] - image[..., :-2, 1:-1]) / 2,
    )
    return (F.avg_pool2d(across.square() + down.square(), STEEPNESS_WINDOW, stride=1) + 1e-6).sqrt()


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


class ConsistencyLoss:
    """How far a network's own answer, before any projection, leaves the band that the program holds.

    Args:
        held_band: the band's width as a share of the input's Nyquist frequency; see ``consistency.HeldBand``.
    """

    def __init__(self, held_band: float = 0.25):
        self.held = HeldBand(held_band)

    def __call__(self, image: torch.Tensor, coarse: torch.Tensor, factor: int) -> torch.Tensor:
        """Return the mean square deviation of ``(N, 1, factor * h, factor * w)`` from ``coarse`` ``(N, 1, h, w)``."""
        return self.held.deviation(image, coarse, factor).square().mean()
