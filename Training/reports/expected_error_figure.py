"""Draw the expected error of one slice beside the error as it was.

python -m Training.reports.expected_error_figure SCAN --model mri-x4-compact --out Documentation/expected_error.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from SuperResolutionLib.evaluation.truths import DEGRADATIONS, degrade, truth_for
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.models.bundles import Model, find_model
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale
from Training.reports.error_samples import gaussian, middle_slices

LOCAL = 3.0


def draw(scan: Path, model: Model, degradation: str, index: int | None, path: Path) -> None:
    """Draw truth, result, expected error, and the error: the mean around each voxel, and as it is.

    Args:
        index: of the slice among those with content; None takes the middle one.
    """
    from matplotlib.figure import Figure

    volume = read_volume(scan)
    sharp = middle_slices(volume, model.factor, 10**6 if index is not None else 5)
    stack = degrade(truth_for(sharp, degradation), degradation)
    result = upscale(stack, UpscaleRequest(factor=sharp.factors, model=model, error=True))
    number = sharp.stack.dimensions[sharp.across] // 2 if index is None else index
    true, fine, expected = (
        sharp.slices_of(part)[number].astype(np.float32) for part in (sharp.stack, result.volume, result.error)
    )
    error = np.abs(fine - true)
    local = gaussian(error[None], [0.0, LOCAL, LOCAL])[0]
    grey = {"cmap": "gray", "vmin": sharp.scale.low, "vmax": sharp.scale.high}
    heat = {"cmap": "inferno", "vmin": 0, "vmax": float(np.percentile(expected, 99.5))}
    panels = [
        ("as it was", true, grey),
        ("made coarse, upscaled", fine, grey),
        ("expected error (1 SD)", expected, heat),
        ("error, mean around each voxel", local, heat),
        ("error", error, heat),
    ]
    rows, columns = np.flatnonzero(true.max(1) > grey["vmax"] / 10), np.flatnonzero(true.max(0) > grey["vmax"] / 10)
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    height = 2.2 * (part[0].stop - part[0].start) / (part[1].stop - part[1].start)
    figure = Figure(figsize=(2.2 * len(panels) + 0.7, height + 0.3), dpi=80, layout="constrained")
    axes = figure.subplots(1, len(panels))
    for axis, (title, image, style) in zip(axes, panels):
        shown = axis.imshow(image[part], **style)
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    figure.colorbar(shown, ax=axes, fraction=0.02, label="scan's units")
    figure.savefig(path)


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--model", required=True, help="for the slice plane: an installed model's name, or a folder")
    parser.add_argument("--degradation", choices=DEGRADATIONS, default="kspace")
    parser.add_argument("--slice", type=int, help="among those with content; the middle one by default")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    draw(options.scan, find_model(options.model), options.degradation, options.slice, options.out)


if __name__ == "__main__":
    main()
