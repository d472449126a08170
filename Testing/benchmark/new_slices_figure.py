"""Draw cuts through real thick slices before and after, and beside them what the scanner saw in that plane.

    python -m Testing.benchmark.new_slices_figure PICTURE THICK[=CUT]... [--seen THICK=SCAN]...

CUT is the index along j of the cut, by default the middle one. SCAN is another stack of the same patient, one of whose
slices lies in the plane of the cut; the middle one is shown, and THICK is cut where it lies.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from matplotlib.figure import Figure

from SuperResolutionLib.evaluation.panels import BACKGROUND, TEXT
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import image_from_volume
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.resampling import resampled
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale

TITLES = ("As acquired", "Cubic B-spline", "SuperResolution", "As scanned in this plane")


def isotropic(volume: Volume) -> list[Volume]:
    """Return B-spline's and our isotropic volume."""
    ours = upscale(volume, UpscaleRequest(factor=None, isotropic=True)).volume
    return [resampled(volume, Grid(ours.ijk_to_ras, ours.dimensions)), ours]


def cuts_along_j(volume: Volume, index: int) -> tuple[list[np.ndarray], tuple[float, float], list[tuple]]:
    """Return the cuts ``(k, i)`` of input, B-spline and ours, the size in mm, and each one's grey range."""
    fine = isotropic(volume)
    size = volume.spacing[0] * volume.dimensions[0], volume.spacing[2] * volume.dimensions[2]
    images = [each.voxels[::-1, index] for each in (volume, *fine)]
    return images, size, [_grey_range(images[1])] * 3


def cuts_in_plane_of(volume: Volume, seen: Volume) -> tuple[list[np.ndarray], tuple[float, float], list[tuple]]:
    """Return the same in the middle slice of ``seen``, and that slice itself, over the field of view that both have."""
    middle = seen.dimensions[2] // 2
    plane = seen.cropped((0, 0, middle), (seen.dimensions[0], seen.dimensions[1], middle + 1))
    grid = image_from_volume(plane)
    fine = isotropic(volume)
    kinds = (sitk.sitkNearestNeighbor, sitk.sitkLinear, sitk.sitkLinear)
    images = [
        sitk.GetArrayFromImage(
            sitk.Resample(
                sitk.Cast(image_from_volume(each), sitk.sitkFloat32), grid, sitk.Transform(), kind, float("nan")
            )
        )[0]
        for each, kind in zip((volume, *fine), kinds)
    ]
    images.append(plane.voxels[0].astype(np.float32))
    rows, columns = (np.flatnonzero(np.isfinite(images[0]).any(axis=axis)) for axis in (1, 0))
    images = [image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] for image in images]
    size = seen.spacing[0] * images[0].shape[1], seen.spacing[1] * images[0].shape[0]
    return images, size, [_grey_range(images[1])] * 3 + [_grey_range(images[3])]


def _grey_range(image: np.ndarray) -> tuple[float, float]:
    low, high = np.nanpercentile(image, [1, 98.5])
    return float(low), float(high)


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("thick", nargs="*", metavar="THICK[=CUT]")
    parser.add_argument("--seen", action="append", default=[], metavar="THICK=SCAN")
    options = parser.parse_args()
    rows = []
    for text in options.thick:
        path, _, index = text.partition("=")
        volume = read_volume(path)
        rows.append((Path(path), *cuts_along_j(volume, int(index or volume.dimensions[1] // 2))))
    for text in options.seen:
        path, _, scan = text.partition("=")
        rows.append((Path(path), *cuts_in_plane_of(read_volume(path), read_volume(scan))))
    columns = max(len(images) for _, images, _, _ in rows)
    heights = [size[1] / size[0] for _, _, size, _ in rows]
    figure = Figure(
        (3.4 * columns, 3.4 * sum(heights) + 0.3 * len(rows)), dpi=110, facecolor=BACKGROUND, constrained_layout=True
    )
    panels = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, (path, images, (width, height), ranges) in zip(panels, rows):
        for panel in row:
            panel.axis("off")
        for panel, image, (low, high), title in zip(row, images, ranges, TITLES):
            panel.imshow(image, "gray", vmin=low, vmax=high, extent=(0, width, height, 0), interpolation="nearest")
            panel.set_title(title, color=TEXT, fontsize=10)
        row[0].text(2, height - 3, path.name.split(".")[0], color=TEXT, fontsize=7)
    figure.savefig(options.picture, facecolor=BACKGROUND)


if __name__ == "__main__":
    main()
