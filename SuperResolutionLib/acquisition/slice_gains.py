"""Slices that differ in brightness by turns, as interleaved acquisition leaves them: seen, and levelled."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..geometry.grid import Grid

PERIODS = (2, 3, 4)
"""After so many slices the pattern begins anew: slices are acquired in as many passes."""
LEAST_SWING = 0.015
"""Of the brightest slices over the darkest; what is weaker the networks do not make visible."""
LEAST_SIGNIFICANCE = 7.0
"""Of a pattern, in its standard errors; what anatomy alone has is measured in Documentation/new_slices.md."""
FIELD_SIGNIFICANCE = 3.0
"""Of what a pattern's field differs from a constant, in the RMS by which two halves of the stack disagree."""
BLOCK = 4
SIGNAL = 0.15
"""A block has signal where its mean is above this share of the brightest blocks'."""
LEAST_BLOCKS = 16
LEAST_REPEATS = 4
DIFFERENCE = np.array([1, -4, 6, -4, 1]) / 6
"""A slice less what the cubic through its four neighbours predicts."""
HALF_WIDTH = 2
ROBUST_FITS = 10


@dataclass(frozen=True)
class SliceBands:
    """A pattern of brightness that repeats every ``period`` slices: a gain for each of its slices, smooth across it.

    Attributes:
        scan: the grid of the scan. slice_axis: 0, 1, 2 for i, j, k.
        typical: ``(period,)``, the gains of the first slices, each a median over the slice; they repeat.
        coefficients: ``(period, terms)`` of the logarithm of the gains of the first slices, which are constant across
            the slice or quadratic (``_terms``).
        limits: the lowest and the highest logarithm of a gain where there is signal; beyond, it stays.
    """

    scan: Grid = field(repr=False)
    slice_axis: int
    typical: np.ndarray
    coefficients: np.ndarray = field(repr=False)
    limits: tuple[float, float] = field(repr=False)

    @property
    def period(self) -> int:
        """After how many slices the pattern begins anew."""
        return len(self.typical)

    @property
    def swing(self) -> float:
        """By which share the brightest slices are above the darkest."""
        return float(self.typical.max() / self.typical.min() - 1)

    @property
    def sentence(self) -> str:
        """What was found, in one sentence."""
        which = {2: "second", 3: "third", 4: "fourth"}[self.period]
        return (
            f"Brightness repeats every {which} slice, as interleaved acquisition leaves it: the brightest slices are"
            f" {100 * self.swing:.1f} % above the darkest."
        )

    def gains(self, grid: Grid) -> SliceGains:
        """Return the gains of a grid whose slices are some of the scan's, its pixels as fine as they may be."""
        step = np.array(grid.spacing) / self.scan.spacing
        first = np.linalg.solve(self.scan.ijk_to_ras[:3, :3], grid.ijk_to_ras[:3, 3] - self.scan.ijk_to_ras[:3, 3])
        # From -1 at the first edge of the scan to 1 at its last.
        rows, columns = (
            2 * (first[axis] + step[axis] * np.arange(grid.dimensions[axis]) + 0.5) / self.scan.dimensions[axis] - 1
            for axis in (2, 1, 0)
            if axis != self.slice_axis
        )
        log_gains = np.tensordot(self.coefficients, _terms(rows, columns)[: self.coefficients.shape[1]], 1)
        planes = np.exp(np.clip(log_gains, *self.limits)).astype(np.float32)
        return SliceGains(planes, int(round(first[self.slice_axis])), self.scan.dimensions[self.slice_axis])


@dataclass(frozen=True)
class SliceGains:
    """The gains of a stack of slices, and of what lies between them.

    Attributes:
        planes: ``(period, H, W)`` float32, the gains of the scan's first slices; they repeat.
        first: which of the scan's slices is the stack's first. slices: how many the scan has.
    """

    planes: np.ndarray
    first: int
    slices: int

    def levelled(self, slices: np.ndarray) -> np.ndarray:
        """Return ``(K, H, W)``, the slices of the stack without their gains, as floats."""
        return np.stack([voxels / self._at(place) for place, voxels in enumerate(slices)])

    def put_back(self, rows: np.ndarray, places: np.ndarray) -> None:
        """Multiply ``rows`` ``(R, H, W)`` in place by the gains at ``places``, in slices from the stack's first.

        Between two slices the gain goes from one's to the other's by half a cosine, as what differs from slice to slice
        is interpolated without overshoot; beyond the first and the last of the scan it is theirs.
        """
        for row, place in zip(rows, places):
            row *= self._at(place)

    def _at(self, place: float) -> np.ndarray:
        place = min(max(place + self.first, 0), self.slices - 1)
        below = int(place)
        share = np.float32((1 - np.cos(np.pi * (place - below))) / 2)
        planes = [self.planes[number % len(self.planes)] for number in (below, below + 1)]
        return planes[0] if share == 0 else planes[0] + share * (planes[1] - planes[0])


def find_slice_bands(voxels: np.ndarray, scan: Grid, slice_axis: int) -> SliceBands | None:
    """Return the pattern by which the brightness of the slices repeats, or None where it is not beyond the noise.

    A slice's gain against what its neighbours predict is the median over blocks with signal of the difference of
    logarithms: the robust form of the intensity matching of Kuklisova-Murgasova et al. 2012, "Reconstruction of fetal
    brain MRI with intensity matching and complete outlier removal". Anatomy differs from slice to slice by up to ten
    per cent in that, so that a single bright slice cannot be told from it; but it does not take turns, so that what
    repeats every second, third or fourth slice can. Whatever is smooth over the slices, such as the fall-off of a
    coil, is no part of the pattern.

    Args:
        voxels: ``(k, j, i)``, a magnitude: where there is no signal it is 0.
        scan: their grid. slice_axis: 0, 1, 2 for i, j, k.
    """
    deviations, shape = _deviations(np.moveaxis(voxels, 2 - slice_axis, 0))
    seen = np.flatnonzero(np.isfinite(deviations).any(axis=1))
    patterns = [_Pattern.of(deviations, seen, period) for period in PERIODS]
    significant = [pattern for pattern in patterns if pattern is not None and pattern.is_beyond_noise]
    if not significant:
        return None
    # What repeats every second slice repeats every fourth too.
    pattern = min(significant, key=lambda pattern: pattern.criterion)
    return SliceBands(scan, slice_axis, np.exp(pattern.logarithms), *_field(deviations, shape, pattern.logarithms))


@dataclass(frozen=True)
class _Pattern:
    """What repeats in the gains of slices.

    Attributes:
        logarithms: ``(period,)`` of the gains, with a mean of 0. significance: in standard errors.
        criterion: the lower, the better it explains the slices for the number of its gains (Schwarz 1978, with
            Laplace's distribution of errors).
    """

    logarithms: np.ndarray
    significance: float
    criterion: float

    @classmethod
    def of(cls, deviations: np.ndarray, seen: np.ndarray, period: int) -> _Pattern | None:
        """Return the pattern of a period, or None where the slices ``seen`` are too few for it."""
        turns = seen % period
        counts = np.bincount(turns, minlength=period)
        if counts.min() < LEAST_REPEATS:
            return None
        slices = np.nanmedian(deviations[seen], axis=1)
        repeated = np.array([np.median(slices[turns == turn]) for turn in range(period)])
        left = np.abs(slices - repeated[turns]) + 1e-6
        count = len(seen)
        # The variance of a median is pi / 2 times that of a mean.
        error = np.sqrt(np.pi / 2) * 1.4826 * np.median(left) * np.sqrt(count / (count - period))
        repeated -= repeated.mean()
        significance = np.sqrt(counts @ repeated**2 / (period - 1)) / error
        criterion = 2 * count * np.log(left.mean() * count / (count - period)) + period * np.log(count)
        return cls(_undone(repeated), float(significance), float(criterion))

    @property
    def is_beyond_noise(self) -> bool:
        return self.significance > LEAST_SIGNIFICANCE and np.expm1(np.ptp(self.logarithms)) > LEAST_SWING


def _deviations(slices: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Return by how much the logarithms of blocks differ from what their neighbours in other slices predict.

    They are ``(K, blocks)``, NaN where there is no signal or a neighbour lacks, and are followed by the number of
    blocks along H and W.
    """
    rows, columns = (size // BLOCK for size in slices.shape[1:])
    nothing = np.full((len(slices), rows * columns), np.nan)
    if not nothing.size:
        return nothing, (rows, columns)
    means = np.stack(
        [
            voxels[: rows * BLOCK, : columns * BLOCK]
            .reshape(rows, BLOCK, columns, BLOCK)
            .mean(axis=(1, 3), dtype=np.float64)
            .ravel()
            for voxels in slices
        ]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(np.where(means > SIGNAL * np.percentile(means, 99), means, np.nan))
    deviations = nothing
    for middle in range(HALF_WIDTH, len(slices) - HALF_WIDTH):
        deviation = DIFFERENCE @ logarithms[middle - HALF_WIDTH : middle + HALF_WIDTH + 1]
        if np.count_nonzero(np.isfinite(deviation)) >= LEAST_BLOCKS:
            deviations[middle] = deviation
    return deviations, (rows, columns)


def _undone(by_turn: np.ndarray) -> np.ndarray:
    """Return what repeats and has these ``DIFFERENCE``s, ``(period, ...)``, with a mean of 0."""
    frequencies = 2 * np.pi * np.arange(len(by_turn)) / len(by_turn)
    response = (6 - 8 * np.cos(frequencies) + 2 * np.cos(2 * frequencies)) / 6
    response[0] = np.inf
    spectrum = np.fft.fft(by_turn, axis=0) / response.reshape(-1, *[1] * (by_turn.ndim - 1))
    return np.fft.ifft(spectrum, axis=0).real


def _field(
    deviations: np.ndarray, shape: tuple[int, int], pattern: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the coefficients of the gains across the slice, and the limits of their logarithms.

    The gains are the same all over the slice, unless both halves of the stack say in the same way that they are not;
    and what differs across it is less than the pattern itself.
    """
    rows, columns = (2 * (np.arange(size) + 0.5) / size - 1 for size in shape)
    terms = _terms(rows, columns).reshape(6, -1)
    halves = np.array_split(np.arange(len(deviations)), 2)
    fits = [_robust_fit(deviations, terms, len(pattern), chosen) for chosen in (np.arange(len(deviations)), *halves)]
    whole, first, second = fits
    if whole is not None and first is not None and second is not None:
        used = np.isfinite(deviations).any(axis=0)
        values = whole @ terms[:, used]
        uneven = np.sqrt(np.mean((values - values.mean(axis=1, keepdims=True)) ** 2))
        error = np.sqrt(np.mean(((first - second) @ terms[:, used] / 2) ** 2))
        if FIELD_SIGNIFICANCE * error < uneven < np.sqrt(np.mean(pattern**2)):
            return whole, (float(values.min()), float(values.max()))
    return pattern[:, None], (float(pattern.min()), float(pattern.max()))


def _robust_fit(deviations: np.ndarray, terms: np.ndarray, period: int, chosen: np.ndarray) -> np.ndarray | None:
    """Return ``(period, terms)``, what fits the gains of the chosen slices best by absolute deviation, or None."""
    by_turn = []
    for turn in range(period):
        same = deviations[chosen[chosen % period == turn]]
        weights = np.isfinite(same).sum(axis=0).astype(float)
        used = weights > 1
        if np.count_nonzero(used) < 4 * len(terms):
            return None
        medians, design, weights = np.nanmedian(same[:, used], axis=0), terms[:, used].T, weights[used]
        share = weights
        for _ in range(ROBUST_FITS):
            root = np.sqrt(share)[:, None]
            coefficients = np.linalg.lstsq(design * root, medians * root[:, 0], rcond=None)[0]
            far = np.abs(medians - design @ coefficients)
            share = weights / np.maximum(far, np.median(far) / 2 + 1e-9)
        by_turn.append(coefficients)
    return _undone(np.array(by_turn))


def _terms(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return 1, x, y, x^2, xy and y^2 at rows and columns, ``(6, rows, columns)``."""
    y, x = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([np.ones_like(x), x, y, x**2, x * y, y**2])
