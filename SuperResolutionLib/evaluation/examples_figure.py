"""The picture of an evaluation: the truth of each scan, what the methods made of it, and how far off they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .evaluate import Example
from .methods import METHOD_LABELS
from .panels import PANEL_INCHES, TEXT, label_edges, mark_box, new_figure, save_figure, show_slice, style_bar
from .slice_view import SliceView
from .zoom import detailed_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


def evaluation_figure(examples: Sequence[Example], path: os.PathLike | str) -> None:
    """Draw one row per example as a PNG: the true slice, zooms of input, B-spline, ours and truth, and error maps.

    The PSNRs are ``Example.psnr``. Examples without "ours" are drawn without its panels.

    Raises:
        InputError: matplotlib is missing, there are no examples, or ``path`` cannot be written.
    """
    if not examples:
        raise InputError("There is nothing to draw; evaluate at least one volume.")
    methods = [method for method in ("bspline", "ours") if any(method in example.results for example in examples)]
    columns = 3 + 2 * len(methods)
    panel = 0.75 * PANEL_INCHES
    figure = new_figure(columns * panel, len(examples) * (panel + 0.4) + 0.8)
    panels = figure.subplots(len(examples), columns, squeeze=False)
    limit = max(_largest_error(example) for example in examples)
    for row, example in zip(panels, examples):
        shown = _draw_example(row, example, methods, limit)
    bar = figure.colorbar(
        shown, ax=list(panels.ravel()), location="bottom", shrink=0.3, aspect=40, pad=0.01, extend="max"
    )
    style_bar(bar, "error, % of the robust range")
    save_figure(figure, path)


def _largest_error(example: Example) -> float:
    error = np.abs(example.results["bspline"].voxels - example.truth.volume.voxels.astype(np.float64))
    return max(1.0, 100 * float(np.percentile(error, 99)) / example.truth.scale.span)


def _draw_example(row: Sequence[Axes], example: Example, methods: Sequence[str], limit: float) -> AxesImage:
    truth, scale = example.truth.volume, example.truth.scale
    view = SliceView(truth, example.truth.across)
    window, size = (scale.low, scale.high), view.size(truth)
    true = view.image(truth, 0)
    box = detailed_box(true, size, window, view.pixel(example.coarse))
    show_slice(row[0], true, size, window)
    mark_box(row[0], box)
    label_edges(row[0], view)
    name = example.name.split(".")[0]
    row[0].set_title(f"{name}\n\N{MULTIPLICATION SIGN}{example.truth.factor}, {example.degradation}", **_title_style())
    crops = [("Input", view.image(example.coarse, 0))]
    results = {method: view.image(example.results[method], 0) for method in methods}
    crops += [(f"{METHOD_LABELS[m]}\n{example.psnr[m]:.2f} dB", image) for m, image in results.items()]
    crops.append(("Truth", true))
    for panel, (title, image) in zip(row[1:], crops):
        show_slice(panel, image, size, window, box)
        panel.set_title(title, **_title_style())
    for panel, (method, image) in zip(row[1 + len(crops) :], results.items()):
        error = 100 * np.abs(image - true) / scale.span
        shown = show_slice(panel, error, size, (0, limit), box, cmap="inferno")
        panel.set_title(f"Error of\n{METHOD_LABELS[method]}", **_title_style())
    return shown


def _title_style() -> dict:
    return {"color": TEXT, "fontsize": 9}
