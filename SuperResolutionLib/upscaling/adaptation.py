"""Adapting to one scan: the network through the slices learns from the scan's own slices before it runs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from ..acquisition.thick_patches import draw_patch, flipped_alike, slices_within
from ..models.networks import Network, fine_rows

STEPS = 300
BATCH = 8
LEARNING_RATE = 5e-4
CONTENT = 0.25
"""A slice has content where its SD is above this share of the greatest."""


def adapt(
    network: Network,
    slices: np.ndarray,
    spacings: tuple[float, float],
    thickness: float,
    device: torch.device,
    progress: Callable[[int, int, str], None],
    stop_if_cancelled: Callable[[], None],
    steps: int = STEPS,
) -> Network:
    """Return a copy of ``network`` that was trained on with what the slices themselves show.

    A slice made thick along one of its own axes is what a reformat through thick slices looks like, with the truth at
    hand: the idea of SMORE (Zhao et al. 2021, "SMORE: a self-supervised anti-aliasing and super-resolution algorithm
    for MRI using deep learning"), here from weights that know many scans. The same slices give the same weights.

    Args:
        network: a ``ThroughPlaneNet``.
        slices: ``(K, H, W)`` float32, normalised.
        spacings: distance of the slices, in pixels along H and along W.
        thickness: FWHM of the slice profile, as a share of that distance.
        progress: called as ``progress(step, steps, message)``. stop_if_cancelled: called at every step; may raise.
        steps: of eight patches each.
    """
    content = slices.std(axis=(1, 2))
    images = torch.from_numpy(np.ascontiguousarray(slices[content > CONTENT * content.max()]))
    random = np.random.default_rng(0)
    # PyTorch's own types leave memory_format out.
    network = copy.deepcopy(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.requires_grad_(True)
    optimiser = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99))
    message = "Adapting to this scan"
    progress(0, steps, message)
    for step in range(steps):
        stop_if_cancelled()
        turned = bool(random.integers(2))
        spacing = spacings[1 if turned else 0]
        pairs = [_pair(images.swapaxes(1, 2) if turned else images, spacing, thickness, random) for _ in range(BATCH)]
        coarse, fine = (torch.stack(parts)[:, None].to(device) for parts in zip(*pairs))
        coarse = coarse.contiguous(memory_format=torch.channels_last)
        loss = F.l1_loss(network(coarse, spacing, thickness), fine)
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / steps)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        progress(step + 1, steps, message)
    return network.eval().requires_grad_(False)


def _pair(
    images: torch.Tensor, spacing: float, thickness: float, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a thick and a thin patch, ``(K, W)`` and ``(fine_rows(K, spacing), W)``, of ``images`` ``(N, H, W)``."""
    height = images.shape[1]
    slices = max(2, slices_within(height, spacing))
    rows = min(height, fine_rows(slices, spacing))
    patch = draw_patch(images[random.integers(len(images))], rows, slices, random)
    return flipped_alike(patch.thick(slices, spacing, thickness), patch.thin, random)
