"""A smooth gain fitted to the truth and taken out, so that brightness is not what a comparison is about."""

from __future__ import annotations

import itertools

import numpy as np
import SimpleITK as sitk

SIGMA, EVERY = 4.0, 4


def with_fitted_gain(image: np.ndarray, truth: np.ndarray, mask: np.ndarray, degree: int = 3) -> np.ndarray:
    """Return ``image`` times the exponential of the polynomial that brings it, smoothed, nearest to ``truth``.

    Args:
        image, truth: ``(k, j, i)``. mask: bool, the voxels that count. degree: of the polynomial, in all.
    """
    smooth_image, smooth_truth = (_smoothed(np.where(mask, array, 0)) for array in (image, truth))
    counted = np.zeros_like(mask)
    every = tuple(slice(None, None, EVERY if size > 4 * EVERY else 1) for size in mask.shape)
    counted[every] = mask[every]
    counted &= (smooth_image > 0) & (smooth_truth > 0)
    axes = [np.linspace(-1, 1, size, dtype=np.float32) for size in mask.shape]
    powers = [power for power in itertools.product(range(degree + 1), repeat=3) if sum(power) <= degree]

    def term(power: tuple[int, ...]) -> np.ndarray:
        k, j, i = (axis**exponent for axis, exponent in zip(axes, power))
        return k[:, None, None] * j[:, None] * i

    weight = smooth_truth[counted]
    basis = np.stack([np.broadcast_to(term(power), mask.shape)[counted] for power in powers], axis=1)
    wanted = np.log(smooth_truth[counted] / smooth_image[counted])
    coefficients = np.linalg.lstsq(basis * weight[:, None], wanted * weight, rcond=None)[0]
    return image * np.exp(sum(value * term(power) for value, power in zip(coefficients, powers)))


def _smoothed(image: np.ndarray) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.GetImageFromArray(image.astype(np.float32)), SIGMA**2))
