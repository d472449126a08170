"""A learned degradation drawn: its kernel, its transfer function, and a slice that it made beside one of the scan."""

from __future__ import annotations

import os

import numpy as np
import torch
from matplotlib.figure import Figure

from SuperResolutionLib.acquisition.noise import add_rician_noise
from Training.degradation.learned.blur_and_noise import LearnedDegradation
from Training.degradation.learned.kernels import SUPPORT


def draw_figure(
    degradation: LearnedDegradation, coarse: torch.Tensor, sharp: torch.Tensor, path: os.PathLike | str, seed: int = 0
) -> None:
    """Draw the kernel, its transfer function and a slice of the scan beside a generated one, as PNG.

    ``coarse`` and ``sharp`` are ``(N, H, W)`` stacks of slices in signal units; their middle ones are shown.
    """
    factor = degradation.factor
    size = [n // factor * factor for n in sharp.shape[1:]]
    fine = sharp[len(sharp) // 2, : size[0], : size[1]]
    made = degradation.operator(fine[None, None], factor).clamp(min=0)
    made = add_rician_noise(made, degradation.noise, torch.Generator().manual_seed(seed))[0, 0]
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplot_mosaic([["kernel", "profile", "transfer"], ["sharp", "made", "scan"]])

    reach = SUPPORT / 2
    axes["kernel"].imshow(degradation.kernel, extent=(-reach, reach, reach, -reach), cmap="magma")
    axes["kernel"].set(title="Kernel", xlabel="columns, coarse voxels", ylabel="rows, coarse voxels")
    offsets = (np.arange(SUPPORT * factor) - (SUPPORT * factor - 1) / 2) / factor
    frequencies = np.linspace(0, factor / 2, 200)
    for name, taps, width in zip(("rows", "columns"), (degradation.rows, degradation.columns), degradation.fwhm_voxels):
        axes["profile"].plot(offsets, np.array(taps) * factor, "o-", label=f"{name}: FWHM {width:.2f} voxels")
        transfer = np.cos(2 * np.pi * np.outer(frequencies, offsets)) @ np.array(taps)
        axes["transfer"].plot(frequencies, transfer, label=name)
    axes["profile"].set(title="Profiles", xlabel="coarse voxels", ylim=(0, 1.3 * axes["profile"].get_ylim()[1]))
    axes["profile"].legend(fontsize=8, loc="upper center")
    axes["transfer"].axvline(0.5, color="grey", linestyle=":", label="Nyquist of the scan")
    axes["transfer"].set(title="MTF", xlabel="cycles per coarse voxel")
    axes["transfer"].legend(fontsize=8)
    pictures = {
        "sharp": ("Sharp scan", fine),
        "made": (f"The same, degraded (noise {100 * degradation.noise:.1f} %)", made),
        "scan": ("The coarse scan", coarse[len(coarse) // 2]),
    }
    for name, (title, picture) in pictures.items():
        axes[name].imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes[name].set_title(title)
        axes[name].axis("off")
    figure.savefig(path, dpi=90)
