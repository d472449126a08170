"""Adapting to one scan: the network through the slices learns from the scan's own slices before it runs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from ..acquisition.thick_patches import NEAREST_APART, draw_patch, flipped_alike, noise_in_thick, slices_within
from ..models.networks import Network, fine_rows, neighbour_offsets

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
    noise: float,
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
        noise: its SD in the slices, normalised.
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
    offsets = np.array(neighbour_offsets(network.neighbours))
    message = "Adapting to this scan"
    progress(0, steps, message)
    for step in range(steps):
        stop_if_cancelled()
        turned = bool(random.integers(2))
        spacing = spacings[1 if turned else 0]
        # The slices beside a slice show the reformats beside the one that it is made to show, where they are near.
        apart = spacing if spacing <= NEAREST_APART else 0.0
        shown = offsets if apart else offsets[:1]
        turned_images = images.swapaxes(1, 2) if turned else images
        pairs = [_pair(turned_images, shown, spacing, thickness, random) for _ in range(BATCH)]
        coarse, fine = (torch.stack(parts).to(device) for parts in zip(*pairs))
        coarse = coarse.contiguous(memory_format=torch.channels_last)
        told = {"noise": noise_in_thick(noise, spacing, thickness), "apart": apart}
        loss = F.l1_loss(network(coarse, spacing, thickness, **told), fine)
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / steps)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        progress(step + 1, steps, message)
    return network.eval().requires_grad_(False)


def _pair(
    images: torch.Tensor, offsets: np.ndarray, spacing: float, thickness: float, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return thick patches and a thin one of ``images`` ``(N, H, W)``.

    They are ``(len(offsets), K, W)``, of a slice and of those beside it, and ``(1, fine_rows(K, spacing), W)``.
    """
    height = images.shape[1]
    slices = max(2, slices_within(height, spacing))
    rows = min(height, fine_rows(slices, spacing))
    chosen = np.clip(int(random.integers(len(images))) + offsets, 0, len(images) - 1)
    patch = draw_patch(images[torch.from_numpy(chosen)], rows, slices, random)
    return flipped_alike(patch.thick(slices, spacing, thickness), patch.thin[None], random)
