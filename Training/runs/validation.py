"""What a run knows about itself: gains and lines on unseen slices, and pictures of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch.nn import functional as F

from SuperResolutionLib.evaluation.lines import line_coherence
from SuperResolutionLib.evaluation.metrics import foreground
from SuperResolutionLib.upscaling.consistency import low_pass

FLAT = 0.25
"""The share of the patient that counts as flat."""


def cubic(coarse: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the first channel of ``coarse`` interpolated to the size of ``truth``."""
    return F.interpolate(coarse[:, :1], size=truth.shape[-2:], mode="bicubic", align_corners=False)


class GainOverCubic:
    """What ``RunLog`` measures of a super-resolution network: gains, lines in flat tissue, and ``sample_images``.

    Args:
        network: what is validated. slices: see ``slice_pairs.ValidationSlices``.
    """

    def __init__(self, network: torch.nn.Module, slices: Iterable[Mapping]):
        self.network, self.slices = network, slices

    def measures(self, device: torch.device) -> dict[str, dict[str, float]]:
        """Return "gain_db", see ``validate``, and "coherence", see ``coherence``, by degradation."""
        return {
            "gain_db": validate(self.network, self.slices, device),
            "coherence": coherence(self.network, self.slices, device),
        }

    def images(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Return a slice of each degradation, cubic, the network's and the truth side by side."""
        samples = sample_images(self.network, self.slices, device)
        return {f"cubic, network, truth/{name}": image for name, image in samples.items()}


@torch.inference_mode()
def validate(network: torch.nn.Module, slices: Iterable[Mapping], device: torch.device) -> dict[str, float]:
    """Return, per degradation, the mean over the volumes of the gain in dB of PSNR over cubic interpolation.

    Args:
        slices: see ``slice_pairs.ValidationSlices``.
    """
    gains: dict[str, list[float]] = {}
    for entry in slices:
        coarse, truth = entry["image"].to(device), entry["label"].to(device)
        images = (network(coarse, **entry.get("conditions", {})), cubic(coarse, truth))
        errors = [F.mse_loss(image, truth).item() for image in images]
        gains.setdefault(entry["name"], []).append(10 * math.log10(errors[1] / errors[0]))
    return {name: sum(values) / len(values) for name, values in gains.items()}


@torch.inference_mode()
def coherence(network: torch.nn.Module, slices: Iterable[Mapping], device: torch.device) -> dict[str, float]:
    """Return, per degradation with noise, how much of what varies in flat tissue is lines: ``lines.line_coherence``.

    Flat is the quarter of the patient where the truth, smoothed, rises least. Degradations without noise are left out.
    """
    found: dict[str, list[float]] = {}
    for entry in slices:
        if "noise" not in entry["name"]:
            continue
        coarse, truth = entry["image"].to(device), entry["label"]
        factor = truth.shape[-1] / coarse.shape[-1]
        image = network(coarse, **entry.get("conditions", {})).float().cpu()
        flat = _flat(truth, factor)
        if flat.any():
            found.setdefault(entry["name"], []).append(line_coherence(image[:, 0].numpy(), flat, factor))
    return {name: sum(values) / len(values) for name, values in found.items()}


def _flat(truth: torch.Tensor, factor: float) -> np.ndarray:
    """Return where true slices ``(N, 1, H, W)`` are flat, ``(N, H, W)``."""
    inside = foreground(truth[:, 0].numpy())
    rise = sum(part.square() for part in torch.gradient(low_pass(truth, factor), dim=(-2, -1)))[:, 0].numpy()
    return inside & (rise <= np.quantile(rise[inside], FLAT)) if inside.any() else inside


@torch.inference_mode()
def sample_images(network: torch.nn.Module, slices: Iterable[Mapping], device: torch.device) -> dict[str, torch.Tensor]:
    """Return, per degradation, the middle slice of the first volume: cubic, the network's and the truth side by side.

    Images are ``(1, H, 3 * W)`` in [0, 1], black and white being the darkest and the brightest voxel of the truth.
    """
    samples: dict[str, torch.Tensor] = {}
    for entry in slices:
        if entry["name"] in samples:
            break  # the second volume's
        middle = slice(len(entry["image"]) // 2, len(entry["image"]) // 2 + 1)
        coarse, truth = entry["image"][middle].to(device), entry["label"][middle].to(device)
        image = network(coarse, **entry.get("conditions", {}))
        row = torch.cat([cubic(coarse, truth), image, truth], dim=-1)[0]
        samples[entry["name"]] = ((row - truth.min()) / (truth.max() - truth.min())).clamp(0, 1).cpu()
    return samples
