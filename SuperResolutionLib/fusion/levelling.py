"""How bright each stack is against the reference, place by place: a gain and a smooth bias, taken out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..files.writing import image_from_volume
from ..geometry.grid import Grid
from ..geometry.intensity import IntensityScale
from ..geometry.volume import Volume

DEGREE = 3
STIFFNESS = 1e-3
"""By which the smooth part is held back, as a share of what all samples say: few samples bend nothing."""
ROUNDS = 4
NODES = 48
"""Along each axis of a volume, at which its gain is computed."""
OUTLYING = 0.2
"""Difference of the logarithms beyond which a sample says less and less: something else than the gain differs there."""


SHOWN = 0.1
"""Of the robust range: what is darker after smoothing shows no patient, and its ratio only noise."""


@dataclass(frozen=True)
class Gain:
    """The logarithm of a stack's gain against the reference: a polynomial of the place.

    Attributes:
        low, high: the corners of the box, RAS mm, that it was fitted in; beyond it goes on as at its faces.
        coefficients: of the products of powers that ``_powers`` lists.
    """

    low: np.ndarray
    high: np.ndarray
    coefficients: np.ndarray

    def of(self, grid: Grid) -> np.ndarray:
        """Return the gain at each voxel of ``grid``, ``(k, j, i)`` float32."""
        ends = [np.linspace(0, size - 1, min(size, NODES)) for size in grid.dimensions[::-1]]
        k, j, i = (at.ravel() for at in np.meshgrid(*ends, indexing="ij"))
        places = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ grid.ijk_to_ras[:3].T
        gains = np.exp(_basis(places, self.low, self.high) @ self.coefficients)
        gains = gains.astype(np.float32).reshape([len(at) for at in ends])
        # So smooth a thing needs no more than straight lines between a few nodes.
        for at, size in zip(ends, grid.dimensions[::-1]):
            between = np.stack([np.interp(np.arange(size), at, node) for node in np.eye(len(at))])
            gains = np.tensordot(gains, between.astype(np.float32), axes=(0, 0))  # the next axis comes first
        return gains

    @property
    def typical(self) -> float:
        """The gain in the middle of the box."""
        return float(np.exp(_basis((self.low + self.high)[None] / 2, self.low, self.high)[0] @ self.coefficients))


def level(samples: list[np.ndarray], places: np.ndarray) -> list[Gain]:
    """Return the gain of each stack; that of the first is 1.

    For each two stacks the logarithms of their smoothed intensities differ by those of their gains, wherever both show
    the patient. All differences are fitted at once by least squares, the outlying ones counting less (weights of
    Huber 1964, "Robust estimation of a location parameter").

    Args:
        samples: of each stack ``(N,)``, its smoothed intensities, NaN where it shows no patient.
        places: ``(N, 3)``, RAS mm.
    """
    shown = np.isfinite(samples)
    shared = shown.sum(axis=0) > 1
    box = places[shared] if shared.any() else places
    low, high = box.min(axis=0), box.max(axis=0)
    basis = _basis(places, low, high)
    terms = basis.shape[1]
    logs = np.log(np.where(shown, samples, 1.0))
    rows, differences = [], []
    for one, other in itertools.combinations(range(len(samples)), 2):
        both = shown[one] & shown[other]
        row = np.zeros((int(both.sum()), len(samples) * terms))
        row[:, one * terms : (one + 1) * terms] = basis[both]
        row[:, other * terms : (other + 1) * terms] = -basis[both]
        rows.append(row)
        differences.append(logs[one][both] - logs[other][both])
    # The reference's gain is 1.
    matrix, difference = np.concatenate(rows)[:, terms:], np.concatenate(differences)
    held = np.tile(np.array([0.0] + [STIFFNESS * len(matrix)] * (terms - 1)), len(samples) - 1)
    held[::terms] = 1e-9 * max(1, len(matrix))
    coefficients = np.zeros(matrix.shape[1])
    for _ in range(ROUNDS):
        left = np.abs(difference - matrix @ coefficients)
        weight = np.minimum(1, OUTLYING / np.maximum(left, 1e-9))[:, None]
        coefficients = np.linalg.solve(
            matrix.T @ (weight * matrix) + np.diag(held), matrix.T @ (weight[:, 0] * difference)
        )
    per_stack = np.concatenate([np.zeros(terms), coefficients]).reshape(len(samples), terms)
    return [Gain(low, high, own) for own in per_stack]


def smoothed_samples(volume: Volume, grid: Grid) -> np.ndarray:
    """Return what ``volume`` shows at the voxels of ``grid``, smoothed to their size, ``(N,)``; NaN for no patient."""
    scale = IntensityScale.of(volume.voxels)
    image = sitk.Cast(image_from_volume(volume), sitk.sitkFloat32)
    if min(volume.dimensions) >= 4:
        image = sitk.SmoothingRecursiveGaussian(image, float(grid.spacing.max()))
    where = image_from_volume(Volume(np.zeros(grid.dimensions[::-1], np.uint8), grid.ijk_to_ras))
    samples = sitk.GetArrayFromImage(sitk.Resample(image, where, sitk.Transform(), sitk.sitkLinear, float("nan")))
    shown = samples > max(0.0, scale.low) + SHOWN * scale.span
    return np.where(shown, samples, np.nan).ravel()


def places_of(grid: Grid) -> np.ndarray:
    """Return the places of the voxels of ``grid``, ``(N, 3)`` RAS mm, in the order of ``smoothed_samples``."""
    k, j, i = np.meshgrid(*(np.arange(size) for size in grid.dimensions[::-1]), indexing="ij")
    return np.stack([i.ravel(), j.ravel(), k.ravel(), np.ones(i.size)], axis=-1) @ grid.ijk_to_ras[:3].T


def _basis(places: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    inside = np.clip((2 * places - low - high) / np.maximum(high - low, 1e-6), -1, 1)
    return np.stack([np.prod(inside**powers, axis=1) for powers in _powers()], axis=1)


def _powers() -> list[np.ndarray]:
    """Return the powers of x, y and z in each product, up to ``DEGREE`` in all, the constant first."""
    found = [powers for powers in itertools.product(range(DEGREE + 1), repeat=3) if sum(powers) <= DEGREE]
    return [np.array(powers) for powers in sorted(found, key=sum)]
