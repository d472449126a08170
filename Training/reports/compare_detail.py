"""What the detail slider does to held-out scans: fidelity, half-way and perceptual weights against the truth.

    python -m Training.reports.compare_detail SHARP... --model SuperResolutionLib/Bundles/mri-x4-compact \\
        --vgg runs/vgg-held-out.safetensors --out runs/detail

Writes ``table.md``, means over the volumes; ``records.json``; and ``figure.png``, the middle of each volume. "Edges" is
how steep they are (``edge_strength``), "features", with ``--vgg``, the distance of the features of a VGG19 that must
not have been in any loss, "gradient" the mean gradient as a share of the truth's. See ``hatching`` for the last two
columns.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from SuperResolutionLib.evaluation.edges import edge_strength
from SuperResolutionLib.evaluation.metrics import foreground, gradient_magnitude_similarity, psnr
from SuperResolutionLib.evaluation.truths import DEGRADATIONS, Truth, choose_slices, degrade, truth_for
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.models.bundles import find_model
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale
from Training.losses.perceptual import PerceptualLoss
from Training.reports.hatching import hatching
from Training.runs.validation import cubic

COLUMNS = {
    "psnr": ("PSNR, dB", "{:.2f}"),
    "gms": ("GMS", "{:.4f}"),
    "edges": ("edges", "{:.2f}"),
    "features": ("features", "{:.3f}"),
    "gradient": ("gradient", "{:.2f}"),
    "peak": ("hatching peak, dB", "{:+.1f}"),
    "amplitude": ("hatching, % of the range", "{:.3f}"),
}
CROP = 112


def compare_detail(
    paths: Sequence[Path],
    model: str,
    details: Sequence[float],
    vgg: Path | None = None,
    degradations: Sequence[str] = DEGRADATIONS,
    most_slices: int = 24,
    planes: dict[str, str] | None = None,
) -> tuple[list[dict], dict[str, dict[str, np.ndarray]]]:
    """Return a record for each volume, degradation and method, and for each volume the middle slices of the first
    degradation by method, normalised.

    Raises:
        InputError: a volume or the model cannot be used.
    """
    factor, features = find_model(model).factor, vgg and PerceptualLoss(vgg)
    records, pictures = [], {}
    for path in paths:
        sharp = choose_slices(read_volume(path), factor, (planes or {}).get(path.name), most_slices)
        mask = foreground(_normalised(sharp, sharp.volume.voxels))
        for degradation in degradations:
            truth = truth_for(sharp, degradation)
            true = _normalised(truth, truth.volume.voxels)
            coarse = degrade(truth, degradation)
            stored = torch.from_numpy(_normalised(truth, truth.chosen(coarse).voxels))[:, None]
            images = {"bicubic": cubic(stored, torch.from_numpy(true)[:, None])[:, 0].numpy()}
            for detail in details:
                request = UpscaleRequest(model=model, detail=detail, factor=truth.factors, output_type="float")
                images[f"detail {detail:g}"] = _normalised(truth, truth.chosen(upscale(coarse, request).volume).voxels)
            images["truth"] = true
            for method, image in images.items():
                scores = _scores(image, true, mask, factor, features)
                records.append({"volume": path.name, "degradation": degradation, "method": method, **scores})
            print(f"{path.name}, {degradation}", flush=True)
            pictures.setdefault(path.name, {name: _middle(image, mask) for name, image in images.items()})
    return records, pictures


def _normalised(truth: Truth, voxels: np.ndarray) -> np.ndarray:
    """Return the slices of ``voxels`` in the networks' units, ``(N, H, W)``."""
    return np.moveaxis(truth.scale.normalise(voxels), 2 - truth.across, 0)


@torch.inference_mode()
def _scores(
    image: np.ndarray, true: np.ndarray, mask: np.ndarray, factor: int, features: PerceptualLoss | None
) -> dict:
    found = hatching(image, true, mask, factor)
    return {
        **({} if image is true else {"psnr": psnr(image, true, 1.0, mask)}),
        "gms": gradient_magnitude_similarity(image, true, 1.0, mask),
        "edges": edge_strength(image, true),
        **({} if features is None else {"features": _distance(image, true, features)}),
        "gradient": _steepness(image, mask) / _steepness(true, mask),
        **({} if found is None else {"peak": found.peak, "amplitude": 100 * found.amplitude}),
    }


def _distance(image: np.ndarray, true: np.ndarray, features: PerceptualLoss) -> float:
    pairs = ((torch.from_numpy(slice_)[None, None] for slice_ in pair) for pair in zip(image, true))
    return float(np.mean([float(features(*pair)) for pair in pairs]))


def _steepness(image: np.ndarray, mask: np.ndarray) -> float:
    return float(np.hypot(*np.gradient(image, axis=(1, 2)))[mask].mean())


def _middle(images: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a square of the middle slice around the middle of the patient."""
    index = len(images) // 2
    centre = [int(np.median(places)) for places in np.nonzero(mask[index])]
    starts = [min(max(0, place - CROP // 2), max(0, size - CROP)) for place, size in zip(centre, mask.shape[1:])]
    return images[index, starts[0] : starts[0] + CROP, starts[1] : starts[1] + CROP]


def table(records: Sequence[dict]) -> str:
    """Return the means over the volumes in Markdown, one table for each degradation."""
    lines = []
    for degradation in dict.fromkeys(record["degradation"] for record in records):
        rows = [record for record in records if record["degradation"] == degradation]
        columns = {key: column for key, column in COLUMNS.items() if any(key in row for row in rows)}
        titles = [title for title, _ in columns.values()]
        lines += [f"| {degradation} | " + " | ".join(titles) + " |", "| --- |" + " ---: |" * len(titles)]
        for method in dict.fromkeys(row["method"] for row in rows):
            values = {key: [row[key] for row in rows if row["method"] == method and key in row] for key in columns}
            cells = [form.format(np.mean(values[key])) if values[key] else "" for key, (_, form) in columns.items()]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def draw(pictures: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Write the middle of every volume as a PNG: one row a volume, one column a method."""
    columns = len(next(iter(pictures.values())))
    figure = Figure(figsize=(3 * columns, 3.05 * len(pictures)), dpi=120, layout="constrained")
    for row, images in zip(figure.subplots(len(pictures), columns, squeeze=False), pictures.values()):
        low, high = np.percentile(images["truth"], (0.5, 99.8))
        for panel, (name, image) in zip(row, images.items()):
            panel.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
            panel.set_title(name, fontsize=10)
    figure.savefig(path)


def main() -> None:
    """Parse the command line, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, metavar="SHARP", help="volumes whose slices are sharp")
    parser.add_argument("--model", required=True, help="installed model or model folder, with perceptual weights")
    parser.add_argument("--details", nargs="+", type=float, default=[0.0, 0.5, 1.0])
    parser.add_argument("--degradations", nargs="+", choices=DEGRADATIONS, default=list(DEGRADATIONS))
    parser.add_argument("--vgg", type=Path, help="VGG19 that was in no loss, by 'python -m Training vgg19'")
    parser.add_argument("--slices", type=int, default=24, help="of each volume")
    parser.add_argument("--plane", nargs="*", default=[], metavar="NAME=AXES", help="the sharp plane, as of evaluate")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    planes = dict(text.split("=", 1) for text in options.plane)
    records, pictures = compare_detail(
        options.paths, options.model, options.details, options.vgg, options.degradations, options.slices, planes
    )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "records.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    (options.out / "table.md").write_text(table(records), encoding="utf-8")
    draw(pictures, options.out / "figure.png")
    print(table(records))


if __name__ == "__main__":
    main()
