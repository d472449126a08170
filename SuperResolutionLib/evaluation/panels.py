"""Slices side by side on a dark page, by matplotlib."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..files.whole_outputs import WholeOutputs, check_output_folder
from .slice_view import SliceView
from .zoom import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


BACKGROUND, TEXT, FRAME = "#121212", "#e6e6e6", "#ffcc33"
DOTS_PER_INCH = 160
PANEL_INCHES = 3.4


def new_figure(width: float, height: float, arranged: bool = True) -> Figure:
    """Return an empty page of this size in inches; where it is ``arranged``, matplotlib finds the panels' places.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("Drawing needs matplotlib, which is missing; run pip install matplotlib.") from None
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor=BACKGROUND, constrained_layout=arranged)


def show_slice(
    panel: Axes,
    image: np.ndarray,
    size: tuple[float, float],
    window: tuple[float, float],
    box: Box | None = None,
    **style: Any,
) -> AxesImage:
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


def mark_box(panel: Axes, box: Box) -> None:
    """Frame the part of a slice that another panel shows larger."""
    from matplotlib.patches import Rectangle

    left, right, top, bottom = box
    panel.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=FRAME, linewidth=1))


def label_edges(panel: Axes, view: SliceView) -> None:
    """Write the anatomical letters of the left and the upper edge."""
    style: dict[str, Any] = {"color": FRAME, "fontsize": 9, "transform": panel.transAxes, "fontweight": "bold"}
    panel.text(0.02, 0.5, view.left, ha="left", va="center", **style)
    panel.text(0.5, 0.98, view.top, ha="center", va="top", **style)


def style_bar(bar: Colorbar, label: str) -> None:
    """Label a colour bar, in the colours of the page."""
    bar.set_label(label, color=TEXT, fontsize=9)
    bar.ax.tick_params(colors=TEXT, labelsize=8)
    bar.outline.set_edgecolor("#444444")


def save_figure(figure: Figure, path: os.PathLike | str) -> None:
    """Write the page as a PNG that is whole or absent.

    Raises:
        InputError: the folder cannot be written or is full.
    """
    check_output_folder(path)
    with WholeOutputs() as outputs:
        outputs.add(path, lambda partial: _save_png(figure, partial))


def _save_png(figure: Figure, path: Path) -> None:
    # The default level of compression takes a fifth of a second more.
    figure.savefig(path, format="png", facecolor=BACKGROUND, pil_kwargs={"compress_level": 1})
