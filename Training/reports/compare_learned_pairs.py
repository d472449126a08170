"""What a network gains by pairs that are made as one scan was: its degradation is hidden, learned, and trained on.

    python -m Training.reports.compare_learned_pairs flair --data FOLDER --out runs/learned
    python -m Training.reports.compare_learned_pairs flair --data FOLDER --out runs/learned --networks NETWORK...

A held-out scan is blurred with a kernel that no preset has, decimated and given Rician noise. The first call learns
that from it and from other people's sharp scans, and writes the answer and the truth, ``learned.json`` and
``true.json`` in a folder of the scan's name, for ``degradation_learned.yaml`` to train on. Either prints how near to
the sharp scan each network (checkpoints or model folders) comes by itself, beside interpolation and back-projection
with the kernel.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from SuperResolutionLib.evaluation.metrics import foreground, psnr
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.interpolation import back_project, refine
from Training.degradation.learned.blur_and_noise import LearnedDegradation
from Training.degradation.learned.estimator import learn_degradation
from Training.degradation.learned.slices import read_sharp_slices, read_slices
from Training.degradation.learned.validate import Family, hidden_degradation, hidden_pair
from Training.runs.checkpoints import build_network, read_start

FACTOR = 2
SCORED_SLICES = 24
SCANS = {
    "flair": (
        Family(
            "FLAIR, patient 4",
            "flair_openms-long_p04s1.nii.gz",
            tuple(f"flair_openms-long_{name}.nii.gz" for name in ("p01s1", "p03s2", "p09s2", "p12s1")),
        ),
        ("gaussian", 1.6, 1.0, 0.03),
    ),
    "t2": (
        Family(
            "T2, patient 4",
            "t2_openms-long_p04s1.nii.gz",
            tuple(f"t2_openms-long_{name}.nii.gz" for name in ("p01s1", "p03s2")),
        ),
        ("gaussian", 1.2, 1.2, 0.05),
    ),
}


def by_network(path: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function that refines coarse slices by the network of a checkpoint or model folder alone."""
    network = build_network(read_start(path)["architecture"], path).eval()

    @torch.inference_mode()
    def refined(coarse: torch.Tensor) -> torch.Tensor:
        scale = IntensityScale.of(coarse.numpy())
        images = [network((part - scale.low) / scale.span) for part in coarse.split(1)]
        return torch.cat(images) * scale.span + scale.low

    return refined


def interpolated(coarse: torch.Tensor) -> torch.Tensor:
    """Return the slices refined by a cubic B-spline."""
    return torch.from_numpy(refine(coarse.numpy(), (1, 1, FACTOR, FACTOR)))


def table(
    methods: Mapping[str, Callable[[torch.Tensor], torch.Tensor]], coarse: torch.Tensor, truth: torch.Tensor
) -> str:
    """Return the PSNR of each method, and its gain over the first one's, over the foreground as a Markdown table.

    Args:
        methods: functions of coarse slices ``(N, 1, h, w)`` that return fine ones, ``(N, 1, H, W)``, by their names.
        coarse, truth: such slices, in the same units; of them ``SCORED_SLICES``, evenly spread, are scored.
    """
    scored = torch.linspace(0, len(truth) - 1, SCORED_SLICES).long()
    coarse, images = coarse[scored], truth[scored, 0].numpy()
    scale = IntensityScale.of(images)
    mask = foreground(scale.normalise(images))
    found = {
        name: psnr(np.maximum(method(coarse)[:, 0].numpy(), 0), images, scale.span, mask)
        for name, method in methods.items()
    }
    first = next(iter(found.values()))
    lines = [f"| | PSNR, dB | gain over {next(iter(found))}, dB |", "| --- | ---: | ---: |"]
    return "\n".join(lines + [f"| {name} | {value:.2f} | {value - first:+.2f} |" for name, value in found.items()])


def main() -> None:
    """Learn the degradation where it is not known yet, and print a table of PSNR over the foreground."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", choices=SCANS)
    parser.add_argument("--networks", nargs="+", default=[], help="checkpoints or model folders to compare")
    parser.add_argument("--data", type=Path, required=True, help="a folder with the folders train and heldout")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the scans' folders")
    options = parser.parse_args()
    family, case = SCANS[options.scan]
    true = hidden_degradation(case, FACTOR)
    sharp, spacing = read_slices(options.data / "heldout" / family.hidden)
    coarse, truth = hidden_pair(sharp, true)
    learned_file = options.out / options.scan / "learned.json"
    if not learned_file.exists():
        learned_file.parent.mkdir(parents=True, exist_ok=True)
        true.save(learned_file.with_name("true.json"))
        others = read_sharp_slices([options.data / "train" / name for name in family.sharp], spacing)
        learn_degradation([coarse[:, 0]], others, FACTOR).save(learned_file)
    learned = LearnedDegradation.load(learned_file)
    for name, degradation in (("hidden", true), ("learned", learned)):
        rows, columns = degradation.fwhm_voxels
        print(f"{name}: {rows:.2f} x {columns:.2f} coarse voxels FWHM, noise {100 * degradation.noise:.2f} %")
    methods = {
        "B-spline": interpolated,
        "back-projection, learned kernel": lambda image: back_project(
            image, interpolated(image), learned.operator, FACTOR
        ),
        "back-projection, true kernel": lambda image: back_project(image, interpolated(image), true.operator, FACTOR),
        **{path: by_network(path) for path in options.networks},
    }
    print(table(methods, coarse, truth))


if __name__ == "__main__":
    main()
