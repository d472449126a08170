"""What a run knows about itself: the gain over cubic interpolation on unseen slices, and pictures of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch.nn import functional as F


def cubic(coarse: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the first channel of ``coarse`` interpolated to the size of ``truth``."""
    return F.interpolate(coarse[:, :1], size=truth.shape[-2:], mode="bicubic", align_corners=False)


class GainOverCubic:
    """What ``RunLog`` measures of a super-resolution network: ``validate``, and ``sample_images``.

    Args:
        network: what is validated. slices: see ``slice_pairs.ValidationSlices``.
    """

    name = "gain_db"

    def __init__(self, network: torch.nn.Module, slices: Iterable[Mapping]):
        self.network, self.slices = network, slices

    def numbers(self, device: torch.device) -> dict[str, float]:
        """Return the gain in dB by degradation."""
        return validate(self.network, self.slices, device)

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
