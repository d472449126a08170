"""The matrices that interpolate a line of samples: what SimpleITK's resampler makes of single ones.

Its kernels are separable and linear, so that a product with such a matrix along each axis is its interpolation.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import SimpleITK as sitk

INTERPOLATORS = {
    "nearest": sitk.sitkNearestNeighbor,
    "linear": sitk.sitkLinear,
    "bspline": sitk.sitkBSpline3,
    "lanczos": sitk.sitkLanczosWindowedSinc,
}
SHORTEST_LINE = 4
"""SimpleITK refuses B-splines on shorter lines, and ITK's reads beyond them."""


def unit_lines(count: int, ends: Literal["reflect", "edge"]) -> tuple[np.ndarray, int]:
    """Return one line for each of ``count`` samples, 1 there and 0 elsewhere, and how far it goes on at both ends.

    Lines shorter than ``SHORTEST_LINE`` go on by two samples, the others by none.

    Args:
        ends: how ``numpy.pad`` makes the samples beyond the ends: "reflect" or "edge".

    Returns:
        The ``(count, count + 2 * margin)`` float32 lines, and the margin.
    """
    margin = 2 if count < SHORTEST_LINE else 0
    return np.pad(np.eye(count, dtype=np.float32), [(0, 0), (margin, margin)], mode=ends), margin


def line_weights(lines: np.ndarray, first: float, step: float, size: int, method: str) -> np.ndarray:
    """Return ``lines`` at ``first``, ``first + step``, ... samples from their first one, ``(count, size)`` float32.

    Farther than half a sample beyond an end it is the last sample.

    Args:
        lines: those of ``unit_lines``, or what a filter made of them.
        method: of ``INTERPOLATORS``.
    """
    image = sitk.GetImageFromArray(np.pad(lines, [(0, max(0, SHORTEST_LINE - len(lines))), (0, 0)]))
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize((size, image.GetHeight()))
    resampler.SetOutputOrigin((first, 0.0))
    resampler.SetOutputSpacing((step, 1.0))
    resampler.SetInterpolator(INTERPOLATORS[method])
    resampler.SetOutputPixelType(sitk.sitkFloat32)
    resampler.UseNearestNeighborExtrapolatorOn()
    return sitk.GetArrayFromImage(resampler.Execute(image))[: len(lines)]
