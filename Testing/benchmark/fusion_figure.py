"""Draw cuts through what ``fusion_simulated --out`` left: a stack as acquired, what is compared, and the truth.

    python -m Testing.benchmark.fusion_figure PICTURE FOLDER SCAN [--seed N] [--zoom SHARE]

The upper row is cut along i and k in the middle of the truth, the lower one along j and k; the stack that is shown is
the first, its thick slices as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from SuperResolutionLib.evaluation.panels import BACKGROUND, TEXT
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.intensity import IntensityScale

WIDTH = 2.1
"""Inches of a picture."""


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zoom", type=float, default=1.0, help="show this share of each side, about the middle")
    options = parser.parse_args()
    records = json.loads((options.folder / "records.json").read_text(encoding="utf-8"))
    own = [record for record in records if (record["scan"], record["seed"]) == (options.scan, options.seed)]
    single = [record for record in own if record["method"].startswith("network")]
    best = max(single, key=lambda record: record["psnr"])["method"] if single else None
    columns = {
        "As acquired, transverse": "as acquired",
        "Mean of three B-splines": "mean of B-splines",
        **({f"Best single: {best}": best} if best else {}),
        "Fused": "fused",
        "Truth": "truth",
    }
    images = {}
    for title, method in columns.items():
        name = f"{options.scan}_{options.seed}_{method.replace(' ', '_')}.nrrd"
        volume = read_volume(options.folder / name)
        # Feet down, whichever way the slices are counted.
        images[title] = volume.voxels[:: -1 if volume.ijk_to_ras[2, 2] > 0 else 1].astype(np.float32)
    figure = Figure(figsize=(WIDTH * len(images), WIDTH * 2.15), facecolor=BACKGROUND)
    axes = figure.subplots(2, len(images))
    for row, axis in enumerate((1, 2)):
        for place, (title, voxels) in zip(axes[row], images.items()):
            cut = np.take(voxels, voxels.shape[axis] // 2, axis)
            margins = [round(size * (1 - options.zoom) / 2) for size in cut.shape]
            cut = cut[margins[0] : cut.shape[0] - margins[0], margins[1] : cut.shape[1] - margins[1]]
            scale = IntensityScale.of(voxels)
            place.imshow(cut, cmap="gray", vmin=max(0.0, scale.low), vmax=scale.low + scale.span, interpolation="none")
            place.set_axis_off()
            if row == 0:
                place.set_title(title, color=TEXT, fontsize=8)
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.94, 0.02, 0.02)
    figure.savefig(options.picture, dpi=110, facecolor=BACKGROUND)


if __name__ == "__main__":
    main()
