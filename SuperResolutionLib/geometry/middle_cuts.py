"""A volume as a small picture: its three middle cuts, as a notebook shows it."""

from __future__ import annotations

import io

import numpy as np

from .ras_axes import nearest_ras_axes

HEIGHT = 240
"""Pixels of the picture from top to bottom, which the tallest cut fills."""
GAP = 6


def middle_cuts(voxels: np.ndarray, ijk_to_ras: np.ndarray) -> np.ndarray:
    """Return the axial, coronal and sagittal cut through the middle, side by side, ``(H, W)`` of 0 to 1.

    They are shown as radiologists look at them: the patient's right on the left, anterior (in the sagittal cut to the
    left) or superior at the top. All have one scale; the grey levels end at the 1st and the 99th percentile.

    Args:
        voxels: ``(k, j, i)``. ijk_to_ras: as of ``Volume``.
    """
    axes = nearest_ras_axes(ijk_to_ras)
    columns_of = [axes.index(axis) for axis in (2, 1, 0)]  # which of i, j and k runs along S, A and R
    array = voxels.transpose([2 - column for column in columns_of])
    # From the superior, the anterior and the right end on.
    backwards = [ijk_to_ras[axis, column] > 0 for axis, column in zip((2, 1, 0), columns_of)]
    array = array[tuple(slice(None, None, -1 if back else 1) for back in backwards)]
    s, a, r = (float(np.linalg.norm(ijk_to_ras[:3, column])) for column in columns_of)
    middle = [size // 2 for size in array.shape]
    cuts = [(array[middle[0]], (a, r)), (array[:, middle[1]], (s, r)), (array[:, :, middle[2]], (s, a))]
    low, high = np.percentile(np.concatenate([cut.ravel() for cut, _ in cuts]), [1, 99])
    pixel = max(cut.shape[0] * row for cut, (row, _) in cuts) / HEIGHT
    tiles: list[np.ndarray] = []
    for cut, steps in cuts:
        sizes = [max(1, round(size * step / pixel)) for size, step in zip(cut.shape, steps)]
        rows, columns = (np.arange(count) * size // count for count, size in zip(sizes, cut.shape))
        grey = (cut[rows][:, columns].astype(np.float64) - low) / max(high - low, 1e-12)
        above = (HEIGHT - sizes[0]) // 2
        tile = np.pad(grey.clip(0, 1), [(above, HEIGHT - sizes[0] - above), (0, 0)])
        tiles += [tile, np.ones((HEIGHT, GAP))]
    return np.concatenate(tiles[:-1], axis=1)


def middle_cuts_png(voxels: np.ndarray, ijk_to_ras: np.ndarray) -> bytes:
    """Return ``middle_cuts`` as a PNG."""
    from matplotlib.image import imsave

    picture = io.BytesIO()
    imsave(picture, middle_cuts(voxels, ijk_to_ras), cmap="gray", vmin=0, vmax=1, format="png")
    return picture.getvalue()
