"""Pictures of results: before and after, and an evaluation against the truth. They need matplotlib."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..files.whole_outputs import check_output_folder, temporary_name
from ..geometry.intensity import IntensityScale
from ..geometry.volume import Volume
from .evaluate import METHOD_LABELS, Example

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BACKGROUND, TEXT, FRAME = "#121212", "#e6e6e6", "#ffcc33"
DIFFERENCE_COLOURS = ("#8fe3ff", "#1f7fd6", "#000000", "#e0641f", "#ffe29a")
DOTS_PER_INCH = 160
PANEL_INCHES = 3.4
ZOOM_SHARE = 0.33
ZOOM_FROM_CENTRE = 0.1

Box = tuple[float, float, float, float]


class SliceView:
    """How the slices across one axis of a volume are shown: as a radiologist expects, in mm.

    Axial slices have anterior on top and the patient's right on the left; coronal ones superior on top and right on the
    left; sagittal ones superior on top and anterior on the left. Oblique slices are shown as what they are closest to.

    Attributes:
        left, top: the anatomical letter (R, L, A, P, S or I) at that edge of the picture.
    """

    def __init__(self, volume: Volume, across: int):
        self.across = across
        directions = volume.ijk_to_ras[:3, :3] / np.array(volume.spacing)
        column_axis, row_axis = (axis for axis in range(3) if axis != across)
        row, column = directions[:, row_axis], directions[:, column_axis]
        right, up = _edges_of_view(int(np.argmax(np.abs(np.cross(row, column)))))
        self._turned = abs(row @ right) + abs(column @ up) > abs(column @ right) + abs(row @ up)
        if self._turned:
            row, column = column, row
            row_axis, column_axis = column_axis, row_axis
        self._row_axis, self._column_axis = row_axis, column_axis
        self._mirrored, self._upside_down = column @ right < 0, row @ up > 0
        self.left = _letter(column if self._mirrored else -column)
        self.top = _letter(row if self._upside_down else -row)

    def image(self, volume: Volume, index: int) -> np.ndarray:
        """Return slice ``index`` of a volume with the same axes, as float32, row 0 on top and column 0 on the left."""
        image = np.take(volume.voxels, index, axis=2 - self.across).astype(np.float32)
        image = image.T if self._turned else image
        image = image[:, ::-1] if self._mirrored else image
        return image[::-1] if self._upside_down else image

    def pixel(self, volume: Volume) -> tuple[float, float]:
        """Return the width and height of a pixel in mm."""
        return volume.spacing[self._column_axis], volume.spacing[self._row_axis]

    def size(self, volume: Volume) -> tuple[float, float]:
        """Return the width and height of a picture in mm."""
        width, height = self.pixel(volume)
        return width * volume.dimensions[self._column_axis], height * volume.dimensions[self._row_axis]


def _edges_of_view(normal: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the RAS directions to the right and upwards of a picture across R (0), A (1) or S (2)."""
    right = np.array([0.0, -1.0, 0.0] if normal == 0 else [-1.0, 0.0, 0.0])
    up = np.array([0.0, 1.0, 0.0] if normal == 2 else [0.0, 0.0, 1.0])
    return right, up


def _letter(direction: np.ndarray) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("RAS" if direction[axis] > 0 else "LPI")[axis]


def before_after(
    coarse: Volume,
    interpolated: Volume,
    ours: Volume,
    path: os.PathLike | str,
    slice_index: int | None = None,
    across: int | None = None,
) -> None:
    """Draw one slice as a PNG: input, interpolation, ours, and what was added (ours minus interpolation), with zooms.

    Args:
        coarse: the input. interpolated, ours: finer volumes in the same place, on the same grid as each other.
        slice_index: the slice of ``coarse``; default the middle one.
        across: the axis that it is cut across; default the one that was refined least, k where that ties.

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
    added = images[2] - images[1]
    window = _window(coarse.voxels)
    limit = float(np.percentile(np.abs(added), 99.8)) or 1.0
    box = _detailed_box(images[2], view.size(ours), window, view.pixel(coarse))
    titles = [
        f"Input, {_millimetres(view.pixel(coarse))}",
        f"B-spline, {_millimetres(view.pixel(interpolated))}",
        f"SuperResolution, {_millimetres(view.pixel(ours))}",
        "Added: SuperResolution \N{MINUS SIGN} B-spline",
    ]
    width, height = view.size(ours)
    tall = min(1.6, max(0.5, height / width))
    figure = _figure(4 * PANEL_INCHES + 0.8, (1 + tall) * PANEL_INCHES + 0.6)
    panels = figure.subplots(2, 4, gridspec_kw={"height_ratios": [tall, 1]})
    for column, title in enumerate(titles):
        image, style = (images[column], {}) if column < 3 else (added, _difference_style(limit))
        for row, part in enumerate((None, box)):
            shown = _show(panels[row, column], image, view.size(ours), window, part, **style)
        panels[0, column].set_title(title, color=TEXT, fontsize=11)
        _mark(panels[0, column], box)
    _label_edges(panels[0, 0], view)
    bar = figure.colorbar(shown, ax=list(panels[:, 3]), fraction=0.05, pad=0.02, extend="both")
    _style_bar(bar, "image units")
    _save(figure, path)


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
    figure = _figure(columns * panel, len(examples) * (panel + 0.4) + 0.8)
    panels = figure.subplots(len(examples), columns, squeeze=False)
    limit = max(_largest_error(example) for example in examples)
    for row, example in zip(panels, examples):
        shown = _draw_example(row, example, methods, limit)
    bar = figure.colorbar(
        shown, ax=list(panels.ravel()), location="bottom", shrink=0.3, aspect=40, pad=0.01, extend="max"
    )
    _style_bar(bar, "error, % of the robust range")
    _save(figure, path)


def _largest_error(example: Example) -> float:
    error = np.abs(example.results["bspline"].voxels - example.truth.volume.voxels.astype(np.float64))
    return max(1.0, 100 * float(np.percentile(error, 99)) / example.truth.scale.span)


def _draw_example(row: Sequence[Axes], example: Example, methods: Sequence[str], limit: float):
    truth, scale = example.truth.volume, example.truth.scale
    view = SliceView(truth, example.truth.across)
    window, size = (scale.low, scale.high), view.size(truth)
    true = view.image(truth, 0)
    box = _detailed_box(true, size, window, view.pixel(example.coarse))
    _show(row[0], true, size, window)
    _mark(row[0], box)
    _label_edges(row[0], view)
    name = example.name.split(".")[0]
    row[0].set_title(f"{name}\n\N{MULTIPLICATION SIGN}{example.truth.factor}, {example.degradation}", **_title_style())
    crops = [("Input", view.image(example.coarse, 0))]
    results = {method: view.image(example.results[method], 0) for method in methods}
    crops += [(f"{METHOD_LABELS[m]}\n{example.psnr[m]:.2f} dB", image) for m, image in results.items()]
    crops.append(("Truth", true))
    for panel, (title, image) in zip(row[1:], crops):
        _show(panel, image, size, window, box)
        panel.set_title(title, **_title_style())
    for panel, (method, image) in zip(row[1 + len(crops) :], results.items()):
        error = 100 * np.abs(image - true) / scale.span
        shown = _show(panel, error, size, (0, limit), box, cmap="inferno")
        panel.set_title(f"Error of\n{METHOD_LABELS[method]}", **_title_style())
    return shown


def _title_style() -> dict:
    return {"color": TEXT, "fontsize": 9}


def _millimetres(pixel: tuple[float, float]) -> str:
    return f"{pixel[0]:.3g} \N{MULTIPLICATION SIGN} {pixel[1]:.3g} mm"


def _window(voxels: np.ndarray) -> tuple[float, float]:
    try:
        scale = IntensityScale.of(voxels)
    except ValueError:
        return float(voxels.flat[0]) - 1, float(voxels.flat[0]) + 1
    return scale.low, scale.high


def _detailed_box(
    image: np.ndarray, size: tuple[float, float], window: tuple[float, float], pixel: tuple[float, float]
) -> Box:
    """Return left, right, top and bottom in mm of the square with the most detail near the picture's centre.

    Its edges are made to fall between the input's pixels, which are ``pixel`` mm wide and high.
    """
    rows, columns = image.shape
    width, height = size
    side = ZOOM_SHARE * min(size)
    steps = np.gradient(np.clip(image, *window)) if min(image.shape) > 1 else [np.zeros_like(image)]
    detail = np.pad(np.cumsum(np.cumsum(sum(np.abs(step) for step in steps), 0), 1), ((1, 0), (1, 0)))
    tall, wide = (max(1, int(side / length * count)) for length, count in ((height, rows), (width, columns)))
    sums = detail[tall:, wide:] - detail[:-tall, wide:] - detail[tall:, :-wide] + detail[:-tall, :-wide]
    rise = np.abs((np.arange(sums.shape[0]) + tall / 2) / rows - 0.5)
    reach = np.abs((np.arange(sums.shape[1]) + wide / 2) / columns - 0.5)
    central = (rise <= max(ZOOM_FROM_CENTRE, rise.min()))[:, None] & (reach <= max(ZOOM_FROM_CENTRE, reach.min()))
    top, left = np.unravel_index(np.argmax(np.where(central, sums, -1)), sums.shape)
    left, top = (
        round(start * length / count / step) * step
        for start, length, count, step in zip((left, top), size, (columns, rows), pixel)
    )
    right, bottom = (
        min(length, start + max(1, round(side / step)) * step) for start, length, step in zip((left, top), size, pixel)
    )
    return left, right, top, bottom


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("Drawing needs matplotlib, which is missing; run pip install matplotlib.") from None
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor=BACKGROUND, constrained_layout=True)


def _show(
    panel: Axes,
    image: np.ndarray,
    size: tuple[float, float],
    window: tuple[float, float],
    box: Box | None = None,
    **style,
):
    """Show an image that fills ``size`` mm, or the part of it in ``box``; return what a colour bar needs."""
    width, height = size
    left, right, top, bottom = box or (0, width, 0, height)
    # Voxels are shown as the squares that they are, unless there are more of them than dots.
    dots = PANEL_INCHES * DOTS_PER_INCH * min(1, (right - left) / (bottom - top))
    squares = image.shape[1] * (right - left) / width <= dots
    options = {"cmap": "gray", "vmin": window[0], "vmax": window[1], **style}
    shown = panel.imshow(
        image, extent=(0, width, height, 0), interpolation="nearest" if squares else "antialiased", **options
    )
    panel.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], facecolor="black")
    for spine in panel.spines.values():
        spine.set_color(FRAME if box else "#444444")
    return shown


def _difference_style(limit: float) -> dict:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("difference", DIFFERENCE_COLOURS)
    return {"cmap": colours, "vmin": -limit, "vmax": limit}


def _mark(panel: Axes, box: Box) -> None:
    from matplotlib.patches import Rectangle

    left, right, top, bottom = box
    panel.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=FRAME, linewidth=1))


def _label_edges(panel: Axes, view: SliceView) -> None:
    style = {"color": FRAME, "fontsize": 9, "transform": panel.transAxes, "fontweight": "bold"}
    panel.text(0.02, 0.5, view.left, ha="left", va="center", **style)
    panel.text(0.5, 0.98, view.top, ha="center", va="top", **style)


def _style_bar(bar, label: str) -> None:
    bar.set_label(label, color=TEXT, fontsize=9)
    bar.ax.tick_params(colors=TEXT, labelsize=8)
    bar.outline.set_edgecolor("#444444")


def _save(figure: Figure, path: os.PathLike | str) -> None:
    check_output_folder(path)
    partial = temporary_name(path)
    try:
        figure.savefig(partial, format="png", facecolor=BACKGROUND)
        os.replace(partial, Path(path))
    finally:
        partial.unlink(missing_ok=True)
