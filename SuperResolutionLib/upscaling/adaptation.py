"""Adapting to one scan: the network through the slices learns from the scan's own slices before it runs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ..acquisition.slice_profile import PROFILES
from ..acquisition.thick_patches import NEAREST_APART, draw_patch, flipped_alike, noise_in_thick, slices_within
from ..models.networks import Network, fine_rows, neighbour_offsets

STEPS = 300
BATCH = 8
LEARNING_RATE = 5e-4
CONTENT = 0.25
"""A slice has content where its SD is above this share of the greatest."""
CHECKED_EVERY = 5
"""Of so many slices with content, one is not learnt from: it tells whether the others taught anything."""
CHECKS = 6
"""Batches by which that is told."""
BETTER = 0.95
"""The copy is taken where it leaves less than this share of the mean square error: what gained less within the slices
lost between them, or next to nothing was won (Documentation/new_slices.md)."""


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
    """Return a copy of ``network`` that was trained on with what the slices show, or itself where that is no better.

    A slice made thick along one of its own axes is what a reformat through thick slices looks like, with the truth at
    hand: the idea of SMORE (Zhao et al. 2021, "SMORE: a self-supervised anti-aliasing and super-resolution algorithm
    for MRI using deep learning"), here from weights that know many scans. Slices that are not learnt from tell whether
    the copy is better; few or noisy slices teach what is theirs alone. The same slices give the same weights.

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
    checked = np.arange(CHECKED_EVERY // 2, len(images), CHECKED_EVERY)
    learnt = np.setdiff1d(np.arange(len(images)), checked)
    random = np.random.default_rng(0)
    # PyTorch's own types leave memory_format out.
    copied = copy.deepcopy(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    offsets = np.array(neighbour_offsets(network.neighbours))

    def drawn(centres: np.ndarray, random: np.random.Generator) -> _Batch:
        return _batch(images, centres, offsets, spacings, thickness, noise, random)

    checks = [drawn(checked, random) for _ in range(CHECKS)] if len(checked) else []
    before = _error(copied, checks, device)
    copied.requires_grad_(True)
    optimiser = torch.optim.Adam(copied.parameters(), betas=(0.9, 0.99))
    message = "Adapting to this scan"
    progress(0, steps, message)
    for step in range(steps):
        stop_if_cancelled()
        batch = drawn(learnt, random)
        loss = F.l1_loss(batch.answers(copied, device), batch.fine.to(device))
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / steps)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        progress(step + 1, steps, message)
    copied.eval().requires_grad_(False)
    return network if checks and _error(copied, checks, device) > BETTER * before else copied


@dataclass(frozen=True)
class _Batch:
    """Thick patches ``(N, M, K, W)``, the thin ones ``(N, 1, rows, W)`` they are made of, and what is told of them."""

    coarse: torch.Tensor
    fine: torch.Tensor
    spacing: float
    thickness: float
    noise: float
    apart: float

    def answers(self, network: Network, device: torch.device) -> torch.Tensor:
        coarse = self.coarse.to(device).contiguous(memory_format=torch.channels_last)
        return network(coarse, self.spacing, self.thickness, noise=self.noise, apart=self.apart)


def _batch(
    images: torch.Tensor,
    centres: np.ndarray,
    offsets: np.ndarray,
    spacings: tuple[float, float],
    thickness: float,
    noise: float,
    random: np.random.Generator,
) -> _Batch:
    """Return patches of ``images`` ``(N, H, W)`` whose numbers are among ``centres``, and of those beside them.

    The profile of the slices is not known, so it is any; and they are as noisy as the scan is, though averaged.
    """
    turned = bool(random.integers(2))
    spacing = spacings[1 if turned else 0]
    # The slices beside a slice show the reformats beside the one that it is made to show, where they are near.
    apart = spacing if spacing <= NEAREST_APART else 0.0
    shown = offsets if apart else offsets[:1]
    turned_images = images.swapaxes(1, 2) if turned else images
    profile = list(PROFILES)[random.integers(len(PROFILES))]
    missing = math.sqrt(max(0.0, noise**2 - noise_in_thick(noise, spacing, thickness) ** 2))
    pairs = []
    for _ in range(BATCH):
        coarse, fine = _pair(turned_images, centres, shown, spacing, thickness, profile, random)
        added = missing * random.standard_normal(tuple(coarse.shape)).astype(np.float32)
        pairs.append((coarse + torch.from_numpy(added), fine))
    coarse, fine = (torch.stack(parts) for parts in zip(*pairs))
    return _Batch(coarse, fine, spacing, thickness, noise, apart)


def _error(network: Network, batches: list[_Batch], device: torch.device) -> float:
    """Return the mean square by which the network's answers miss the thin patches."""
    with torch.no_grad():
        errors = [F.mse_loss(batch.answers(network, device), batch.fine.to(device)) for batch in batches]
    return float(sum(errors))


def _pair(
    images: torch.Tensor,
    centres: np.ndarray,
    offsets: np.ndarray,
    spacing: float,
    thickness: float,
    profile: str,
    random: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return thick patches and a thin one of ``images`` ``(N, H, W)``, at one of ``centres``.

    They are ``(len(offsets), K, W)``, of a slice and of those beside it, and ``(1, fine_rows(K, spacing), W)``.
    """
    height = images.shape[1]
    slices = max(2, slices_within(height, spacing))
    rows = min(height, fine_rows(slices, spacing))
    chosen = np.clip(int(centres[random.integers(len(centres))]) + offsets, 0, len(images) - 1)
    patch = draw_patch(images[torch.from_numpy(chosen)], rows, slices, random)
    return flipped_alike(patch.thick(slices, spacing, thickness, profile), patch.thin[None], random)
