"""Whether two stacks, once placed, show one patient in one contrast: two numbers that no gain and no bias changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

WIDER, WIDEST = 3.0, 8.0
"""Times as wide a smoothing as that to the thickness of a slice: what is broader is no detail, and what is broader
still is taken for the gain between the stacks."""
FROM_AIR = 2.0
"""Of that smoothing's SD: nearer to where one of the stacks shows no patient, nothing is compared. The skin against
air looks alike in all contrasts."""
FEWEST = 100
"""Voxels; where fewer are as far from air, those near it count as well."""
CLASSES = 16
"""Of brightness, each of as many voxels."""


@dataclass(frozen=True)
class Likeness:
    """How alike two placed stacks are.

    Attributes:
        detail: correlation of what is about as fine as a slice is thick: low for other patients, and where one stack
            is distorted.
        departure: where the one stack is brighter, so is the other, in proportion, if the contrast is one: RMS by
            which the median of the other at each brightness of the one departs from that, as a share of the other's
            SD. Medians, since the means of what is noisy or lies a little apart are all drawn towards one value.
    """

    detail: float
    departure: float


def likeness(ours: np.ndarray, theirs: np.ndarray, shared: np.ndarray, inside: np.ndarray, sigma: float) -> Likeness:
    """Return how alike two stacks are.

    Args:
        ours, theirs: ``(k, j, i)`` on one grid, normalised. shared: bool, where both show the patient.
        inside: 0 to 1, where both were measured.
        sigma: voxels, of the Gaussian as wide as the slices of either are thick.
    """
    one, other = (_smoothed(image, inside, sigma) for image in (ours, theirs))
    away = shared & (sitk.GetArrayFromImage(_eroded(shared, FROM_AIR * sigma)) > 0)
    counts = away if np.count_nonzero(away) >= FEWEST else shared
    if np.count_nonzero(counts) < FEWEST:
        return Likeness(0.0, 1.0)
    weight = shared.astype(np.float32)
    gain = _smoothed(one, weight, WIDEST * sigma) / np.maximum(_smoothed(other, weight, WIDEST * sigma), 1e-3)
    other = other * gain
    fine = [(image - _smoothed(image, weight, WIDER * sigma))[counts] for image in (one, other)]
    return Likeness(_correlation(*fine), _departure(one[counts], other[counts]))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    spread = float(one.std() * other.std())
    return 0.0 if spread == 0 else float(((one - one.mean()) * (other - other.mean())).mean() / spread)


def _departure(one: np.ndarray, other: np.ndarray) -> float:
    order = np.argsort(one, kind="stable")
    classes = np.array_split(order, CLASSES)
    ours, theirs = (np.array([np.median(image[part]) for part in classes]) for image in (one, other))
    proportional = ours * (ours @ theirs) / max(float(ours @ ours), 1e-9)
    spread = float(other.std())
    return 1.0 if spread == 0 else float(np.sqrt(np.mean((theirs - proportional) ** 2)) / spread)


def _smoothed(image: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    total, weights = (
        sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(array.astype(np.float32)), sigma))
        for array in (image * weight, weight)
    )
    return total / np.maximum(weights, 1e-3)


def _eroded(mask: np.ndarray, radius: float) -> sitk.Image:
    return sitk.BinaryErode(sitk.GetImageFromArray(mask.astype(np.uint8)), [int(np.ceil(radius))] * 3)
