"""The kernels that a degradation is learned among: separable, symmetric profiles of five coarse voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from SuperResolutionLib.acquisition.slice_profile import FWHM_OF_UNIT_GAUSSIAN

SUPPORT = 5  # coarse voxels that a kernel spans: odd, so that factor * SUPPORT taps are centred on the coarse voxel


def full_width(taps: Sequence[float]) -> float:
    """Return the full width at half maximum of symmetric taps, in taps, of the band-limited curve through them.

    A curve, because a kernel with an even number of taps has none at its centre, and the two highest would hide its
    peak. A kernel that does not fall to half is as wide as its support.
    """
    taps = np.asarray(taps, dtype=np.float64)
    frequencies = np.linspace(0, 0.5, 257)
    weights = np.full(257, 2.0)
    weights[[0, -1]] = 1
    offsets = np.arange(len(taps)) - (len(taps) - 1) / 2
    transfer = np.cos(2 * np.pi * np.outer(frequencies, offsets)) @ taps * weights
    positions = np.linspace(0, len(taps) / 2, 4001)
    curve = np.cos(2 * np.pi * np.outer(positions, frequencies)) @ transfer
    beyond = int(np.argmax(curve < curve[0] / 2))
    if not beyond:
        return float(len(taps))
    share = (curve[beyond - 1] - curve[0] / 2) / (curve[beyond - 1] - curve[beyond])
    return float(2 * (positions[beyond - 1] + share * positions[1]))


def gaussian_taps(fwhm: torch.Tensor | float, factor: int) -> torch.Tensor:
    """Return the ``5 * factor`` taps of a Gaussian of the given FWHM in coarse voxels, of sum 1."""
    offsets = torch.arange(SUPPORT * factor) - (SUPPORT * factor - 1) / 2
    taps = torch.exp(-0.5 * (offsets * FWHM_OF_UNIT_GAUSSIAN / (fwhm * factor)) ** 2)
    return taps / taps.sum()


class UnimodalKernel(nn.Module):
    """Two symmetric profiles that never rise away from their middle: mixtures of box averages of all widths.

    Any such profile is one (Khinchin 1938), so that no shape is assumed; negative taps and side lobes are ruled out.
    """

    def __init__(self, kernel: torch.Tensor):
        super().__init__()
        taps = kernel.shape[1]
        self.widths = torch.arange(2 - taps % 2, taps + 1, 2, dtype=torch.float32)
        heights = kernel[:, taps // 2 :]
        steps = heights - F.pad(heights[:, 1:], (0, 1))
        self.logits = nn.Parameter((steps * self.widths).clamp(min=1e-3).log())

    def forward(self) -> torch.Tensor:
        """Return the taps, ``(2, taps)``, each row of sum 1."""
        steps = torch.softmax(self.logits, dim=1) / self.widths
        half = steps.flip(1).cumsum(1).flip(1)
        odd = int(self.widths[0]) == 1
        return torch.cat([half[:, 1:].flip(1) if odd else half.flip(1), half], dim=1)
