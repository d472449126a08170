"""The picture of one slice before and after: input, interpolation, ours, and what was added, by matplotlib."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..geometry.intensity import IntensityScale
from ..geometry.volume import Volume
from .panels import PANEL_INCHES, TEXT, label_edges, mark_box, new_figure, save_figure, show_slice, style_bar
from .slice_view import SliceView
from .zoom import detailed_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAP_INCHES, TITLE_INCHES, BAR_INCHES = 0.1, 0.4, 1.1
DIFFERENCE_COLOURS = ("#8fe3ff", "#1f7fd6", "#000000", "#e0641f", "#ffe29a")


def before_after(
    coarse: Volume,
    interpolated: Volume,
    ours: Volume,
    path: os.PathLike | str,
    slice_index: int | None = None,
    across: int | None = None,
    error: Volume | None = None,
) -> None:
    """Draw one slice as a PNG: input, interpolation, ours, and what was added (ours minus interpolation), with zooms.

    Args:
        coarse: the input. interpolated, ours: finer volumes in the same place, on the same grid as each other.
        slice_index: the slice of ``coarse``; default the middle one.
        across: the axis that it is cut across; default the one that was refined least, k where that ties.
        error: the expected error of ``ours``, which is then shown in place of what was added.

    Raises:
        InputError: matplotlib is missing, there is no such slice, or ``path`` cannot be written.
    """
    ratios = np.array(ours.dimensions) / np.array(coarse.dimensions)
    if across is None:
        across = max(axis for axis in range(3) if ratios[axis] < ratios.min() + 1e-6)
    count = coarse.dimensions[across]
    index = count // 2 if slice_index is None else slice_index
    if not 0 <= index < count:
        raise InputError(f"There is no slice {index}; give one from 0 to {count - 1}.")
    fine_index = int((index + 0.5) * ratios[across])
    view = SliceView(coarse, across)
    images = [view.image(coarse, index), view.image(interpolated, fine_index), view.image(ours, fine_index)]
    last = images[2] - images[1] if error is None else view.image(error, fine_index)
    window = _window(coarse.voxels)
    limit = float(np.percentile(np.abs(last), 99.8)) or 1.0
    last_style = _difference_style(limit) if error is None else {"cmap": "inferno", "vmin": 0, "vmax": limit}
    box = detailed_box(images[2], view.size(ours), window, view.pixel(coarse))
    titles = [
        f"Input, {_millimetres(view.pixel(coarse))}",
        f"B-spline, {_millimetres(view.pixel(interpolated))}",
        f"SuperResolution, {_millimetres(view.pixel(ours))}",
        "Added: SuperResolution \N{MINUS SIGN} B-spline" if error is None else "Expected error (1 SD)",
    ]
    width, height = view.size(ours)
    tall = min(1.6, max(0.5, height / width))
    figure = new_figure(4 * PANEL_INCHES + BAR_INCHES, (1 + tall) * PANEL_INCHES + TITLE_INCHES, arranged=False)
    panels, bar_axes = _axes(figure, tall)
    for column, title in enumerate(titles):
        image, style = (images[column], {}) if column < 3 else (last, last_style)
        for row, part in enumerate((None, box)):
            shown = show_slice(panels[row, column], image, view.size(ours), window, part, **style)
        panels[0, column].set_title(title, color=TEXT, fontsize=11)
        mark_box(panels[0, column], box)
    label_edges(panels[0, 0], view)
    bar = figure.colorbar(shown, cax=bar_axes, extend="both" if error is None else "max")
    style_bar(bar, "image units")
    save_figure(figure, path)


def _axes(figure: Figure, tall: float) -> tuple[np.ndarray, Axes]:
    """Return the ``(2, 4)`` panels and the colour bar's axes, each where it goes.

    To find these places out from what is drawn would take as long as a network's answer to the slice.
    """
    page_width, page_height = figure.get_size_inches()

    def axes(left: float, bottom: float, width: float, height: float) -> Axes:
        return figure.add_axes((left / page_width, bottom / page_height, width / page_width, height / page_height))

    side = PANEL_INCHES - GAP_INCHES
    rows = [(PANEL_INCHES + GAP_INCHES, tall * PANEL_INCHES - GAP_INCHES), (GAP_INCHES, side)]
    lefts = [GAP_INCHES + column * PANEL_INCHES for column in range(4)]
    panels = [[axes(left, bottom, side, height) for left in lefts] for bottom, height in rows]
    bar = axes(4 * PANEL_INCHES + GAP_INCHES, GAP_INCHES, 0.15, (1 + tall) * PANEL_INCHES - GAP_INCHES)
    return np.array(panels), bar


def _millimetres(pixel: tuple[float, float]) -> str:
    return f"{pixel[0]:.3g} \N{MULTIPLICATION SIGN} {pixel[1]:.3g} mm"


def _window(voxels: np.ndarray) -> tuple[float, float]:
    try:
        scale = IntensityScale.of(voxels)
    except ValueError:
        return float(voxels.flat[0]) - 1, float(voxels.flat[0]) + 1
    return scale.low, scale.high


def _difference_style(limit: float) -> dict:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("difference", DIFFERENCE_COLOURS)
    return {"cmap": colours, "vmin": -limit, "vmax": limit}
