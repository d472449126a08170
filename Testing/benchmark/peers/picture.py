"""The picture of a comparison: a part of one slice of some scans, by each method, and as it truly is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SuperResolutionLib.evaluation.panels import PANEL_INCHES, TEXT, new_figure, save_figure, show_slice
from SuperResolutionLib.evaluation.slice_view import SliceView
from SuperResolutionLib.evaluation.truths import Truth
from SuperResolutionLib.evaluation.zoom import Box, detailed_box
from SuperResolutionLib.geometry.volume import Volume


@dataclass(frozen=True)
class Row:
    """One scan: its truth, the coarse scored slices, each method's fine ones ``(N, H, W)`` and what is said of it."""

    name: str
    truth: Truth
    coarse: Volume
    results: dict[str, np.ndarray]
    captions: dict[str, str]


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw as a PNG, a row a scan: a part of the middle scored slice as acquired, by each method, and the truth's.

    Raises:
        InputError: ``path`` cannot be written.
    """
    methods = list(rows[0].results)
    panel = 0.62 * PANEL_INCHES
    figure = new_figure((len(methods) + 2) * panel, len(rows) * (panel + 0.3) + 0.3)
    panels = figure.subplots(len(rows), len(methods) + 2, squeeze=False)
    for column, title in zip(panels[0], ("As acquired, enlarged", *methods, "Truth")):
        column.set_title(title, color=TEXT, fontsize=10)
    for row, drawn in zip(rows, panels):
        truth = row.truth.volume
        view = SliceView(truth, row.truth.across)
        middle = truth.dimensions[row.truth.across] // 2
        size = view.size(truth)
        true = view.image(truth, middle)
        fine = [_volume_of(row.results[method], row.truth) for method in methods]
        images = [view.image(row.coarse, middle), *(view.image(volume, middle) for volume in fine), true]
        box = detailed_box(true, size, (row.truth.scale.low, row.truth.scale.high), view.pixel(row.coarse))
        window = _window(true, size, box)
        for axes, image, method in zip(drawn, images, (None, *methods, None)):
            show_slice(axes, image, size, window, box)
            axes.set_xlabel(row.captions.get(method, ""), color=TEXT, fontsize=9)
        drawn[0].set_ylabel(row.name, color=TEXT, fontsize=9)
    save_figure(figure, path)


def _window(image: np.ndarray, size: tuple[float, float], box: Box) -> tuple[float, float]:
    """Return the grey range of the part of ``image`` in ``box``: fat elsewhere would leave it dark."""
    left, right, top, bottom = box
    (width, height), (rows, columns) = size, image.shape
    first, last = round(top / height * rows), round(bottom / height * rows)
    part = image[first:last, round(left / width * columns) : round(right / width * columns)]
    low, high = np.percentile(part, (1, 99.5))
    return float(low), float(high)


def _volume_of(slices: np.ndarray, truth: Truth) -> Volume:
    return Volume(np.moveaxis(slices, 0, 2 - truth.across), truth.volume.ijk_to_ras)
