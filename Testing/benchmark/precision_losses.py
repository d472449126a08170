"""What 8 bits cost: PSNR of each network in int8 and in bfloat16 against itself in float32, on held-out slices.

    python -m Testing.benchmark.precision_losses FOLDER [--slices 3] [--models mri-x4-compact ...]

Slices are made coarse by a k-space crop. As in the product, the scales come from patches of the whole coarse scan, of
which every third slice is made here. The last column is the RMS of the change, as a share of the robust range.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.acquisition.operators import kspace_crop
from SuperResolutionLib.acquisition.survey import slice_axis
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.models.bundles import find_model
from SuperResolutionLib.models.precision import PreparedNetwork
from SuperResolutionLib.models.precision.samples import sample_places

CPU = torch.device("cpu")
PRECISIONS = ("bfloat16", "int8")


def stack_of(path: Path, factor: int) -> torch.Tensor:
    """Return every third slice ``(N, 1, H, W)`` of a scan, normalised, with sides that are multiples of ``factor``."""
    volume = read_volume(path)
    slices = np.moveaxis(volume.voxels, 2 - slice_axis(volume), 0)
    height, width = (size // factor * factor for size in slices.shape[1:])
    chosen = slices[len(slices) % 3 // 2 :: 3, :height, :width]
    return torch.from_numpy(IntensityScale.of(volume.voxels).normalise(chosen))[:, None]


def psnr(result: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the PSNR in dB, for a range of 1."""
    return float(-10 * torch.log10((result - truth).square().mean()))


def _answered(patches: torch.Tensor, call: Callable[..., torch.Tensor]) -> torch.Tensor:
    return call(patches)


def main() -> None:
    """Parse the command line and print a line for each model and scan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of volumes")
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--pattern", default="*.nii.gz")
    parser.add_argument(
        "--models", nargs="+", default=["mri-x4-compact", "mri-x4-rrdb", "mri-x2-compact", "mri-x2-rrdb"]
    )
    options = parser.parse_args()
    for name in options.models:
        model = find_model(name)
        network = model.load(0.0)
        lost: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
        for path in sorted(options.folder.glob(options.pattern)):
            truth = stack_of(path, model.factor)
            with torch.inference_mode():
                coarse = kspace_crop(truth, model.factor)
                stack = coarse[:, 0].numpy()
                patches = torch.from_numpy(np.stack([stack[place] for place in sample_places(stack)]))[:, None]
                chosen = np.unique(np.linspace(0, len(coarse) - 1, options.slices + 2)[1:-1].round().astype(int))
                exact = network(coarse[chosen])
                words = []
                for precision in PRECISIONS:
                    prepared = PreparedNetwork(network, CPU, precision, partial(_answered, patches))
                    answer = prepared(coarse[chosen])
                    change = psnr(answer, truth[chosen]) - psnr(exact, truth[chosen])
                    lost[precision].append(change)
                    root = float((answer - exact).square().mean().sqrt())
                    words.append(f"{prepared.precision} {change:+.4f} dB ({100 * root:.2f} %)")
            print(f"{name:18s} {path.name:48s} {psnr(exact, truth[chosen]):6.2f} dB; {', '.join(words)}", flush=True)
        for precision, changes in lost.items():
            print(f"{name:18s} {precision}: mean {np.mean(changes):+.4f} dB, worst {min(changes):+.4f} dB", flush=True)


if __name__ == "__main__":
    main()
