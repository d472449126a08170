"""The expected error: a small head on a frozen network's features that says how far each fine pixel may be off.

Kendall and Gal 2017, "What uncertainties do we need in Bayesian deep learning for computer vision?", learn such a scale
by the likelihood of the errors beside the image; here it is learnt afterwards, so that the image stays what it was.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..error_calibration import UNIT
from .cubic import shuffled
from .network import Network
from .through_plane import ThroughPlaneNet, row_places, rows_of

BRIGHT = 0.1
"""A share of the intensity range: where an image is darker, its errors do not count for the level of a scan."""
STEEPNESS_FLOOR = 0.01
"""Added to gradients, a share of the intensity range to a pixel: what is flat may be off, too."""
LEAST_ERROR = 0.01
"""The smallest answer of a head, in the unit that it counts in."""
WIDTH = 32


class SliceErrorHead(nn.Module):
    """Answers ``(N, 1, factor * H, factor * W)``: the mean absolute error of each fine pixel, normalised.

    It sees as far as the 3 x 3 convolution that makes the image of the same features, so that the halo stays.

    Args:
        channels: of the features. factor: fine pixels to a coarse one.
    """

    def __init__(self, channels: int, factor: int):
        super().__init__()
        self.factor = factor
        self.hidden = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.last = nn.Conv2d(WIDTH, factor * factor, 1)

    def forward(self, features: torch.Tensor, *inputs: Any, **named: Any) -> torch.Tensor:
        return _errors(shuffled(self.last(F.leaky_relu(self.hidden(features), 0.2)), self.factor))


class RowErrorHead(nn.Module):
    """Answers ``(N, 1, rows, W)``: the mean absolute error of each pixel of the rows of a ``ThroughPlaneNet``.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.hidden = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.row_weights = nn.Sequential(nn.Linear(4, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH))

    def forward(
        self,
        features: torch.Tensor,
        reformats: torch.Tensor,
        spacing: float,
        thickness: float,
        places: torch.Tensor | None = None,
        *told: Any,
        **more: Any,
    ) -> torch.Tensor:
        if places is None:
            places = row_places(reformats.shape[-2], spacing)
        hidden = F.leaky_relu(self.hidden(features), 0.2)
        return _errors(rows_of(hidden, self.row_weights, places, spacing, thickness)[:, None])


class NetworkWithError(Network):
    """A network whose answers ``(N, 2, ...)`` have a second channel: how far the first may be off.

    Args:
        network: in evaluation mode. error_head: for its features, see ``new_error_head``.
        exponent, multiple: as of ``error_calibration.ErrorCalibration``.
        typical_steepness: of the scan, where errors are to be told ``by_steepness``; else None. Where they are, the
            second channel is what the head answers, as it is.
    """

    predicts_error = True

    def __init__(
        self,
        network: Network,
        error_head: nn.Module,
        exponent: float = 1.0,
        multiple: float = 1.0,
        typical_steepness: float | None = None,
    ):
        super().__init__()
        self.network, self.error_head = network, error_head
        self.exponent, self.multiple = exponent, multiple
        self.typical_steepness = typical_steepness
        self.factor, self.neighbours = network.factor, network.neighbours

    @property
    def halo(self) -> int:
        return self.network.halo

    def forward(self, *inputs: Any, **named: Any) -> torch.Tensor:
        features = self.network.features(*inputs, **named)
        image = self.network.refined(features, *inputs, **named)
        answer = self.error_head(features, *inputs, **named)
        return torch.cat([image, self._expected(answer) if self.typical_steepness is None else answer], dim=1)

    def _expected(self, answer: torch.Tensor) -> torch.Tensor:
        if self.exponent != 1:
            answer = answer.pow(self.exponent)
        return answer.mul_(self.multiple * UNIT ** (1 - self.exponent))

    @torch.inference_mode()
    def typical(self, *inputs: Any) -> tuple[float, float]:
        """Return the geometric means of the answers and of the images' steepness.

        They are of where the image is not dark; of all where it is dark throughout.
        """
        image, answer = self(*inputs).double().split(1, dim=1)
        bright = image > BRIGHT if (image > BRIGHT).any() else torch.ones_like(image, dtype=torch.bool)
        level, steep = (float(values[bright].log().mean().exp()) for values in (answer, steepness(image)))
        return level, steep

    def by_steepness(self, errors: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Return the expected errors, larger where the images are steeper than is typical.

        Args:
            errors, images: the two channels of the answers, of whole images, each ``(N, 1, H, W)``.
        """
        if self.typical_steepness is None:
            return errors
        return self._expected(steepness(images).mul_(errors).mul_(1 / self.typical_steepness))


def steepness(images: torch.Tensor) -> torch.Tensor:
    """Return the magnitude of the gradient of ``(N, 1, H, W)`` images, and a little more."""
    rows, columns = torch.gradient(images, dim=(-2, -1))
    return rows.square_().add_(columns.square_()).sqrt_().add_(STEEPNESS_FLOOR)


def new_error_head(network: Network) -> nn.Module:
    """Return an untrained head for a network of the registry."""
    channels = network.head.out_channels
    if isinstance(network, ThroughPlaneNet):
        return RowErrorHead(channels)
    return SliceErrorHead(channels, network.factor)


def _errors(values: torch.Tensor) -> torch.Tensor:
    # Errors grow as the brightness does. An exponential would grow to many times the range on a scan whose brightest
    # voxels lie far above it.
    return F.softplus(values.float()).add_(LEAST_ERROR).mul_(UNIT)
