"""Which part of a picture is worth a closer look."""

from __future__ import annotations

import numpy as np

ZOOM_SHARE = 0.33
ZOOM_FROM_CENTRE = 0.1
Box = tuple[float, float, float, float]


def detailed_box(
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
