"""Where a result shows what is not there: Fourier ring correlations with the truth, patch by patch (sFRC).

Kc, Zeng, Soni and Badano 2026, "sFRC for assessing hallucinations in medical image restoration" (arXiv:2603.04673; the
code of the FDA's device lab, MIT: https://github.com/DIDSR/sfrc). This is the method in our own words, with what they
chose for CT at x4: patches of 64 pixels under a Hann window, a criterion of 0.5, and their limit of 0.33 per mm at
0.48 mm a pixel. Theirs lie side by side; ours overlap by half, as the window hides what lies at the edge of each.
"""

from __future__ import annotations

import numpy as np

from .metrics import frc_cutoff

SIDE = 64
INSIDE = 0.5
"""Share of a patch that has to be patient for the patch to be looked at."""
MEASURED = 1.0
"""A patch that is wrong below the input's Nyquist frequency contradicts what the scanner measured."""
PUBLISHED = 1.27
"""The limit of the publication, 0.33 / mm, as a multiple of the Nyquist frequency of its input, 1 / (8 * 0.48 mm)."""


def patch_cutoffs(result: np.ndarray, truth: np.ndarray, mask: np.ndarray, factor: int) -> np.ndarray:
    """Return up to which spatial frequency each patch of the patient is right.

    It is where the Fourier ring correlation of the patch with the truth's first falls below 0.5, as a multiple of the
    input's Nyquist frequency. A patch whose value lies below a limit is a candidate for a hallucination: what it shows
    there is not what is there, be it drawn, moved, smoothed away or noise. ``factor`` is the highest value.

    Args:
        result, truth: slices ``(N, H, W)``, in the same units. mask: the foreground of ``truth``.
        factor: fine voxels per coarse voxel along both axes.

    Returns:
        ``(M,)``: one value for each patch that is at least half foreground, slice by slice; none where the slices are
        smaller than a patch.
    """
    if min(truth.shape[-2:]) < SIDE:
        return np.empty(0)
    ours, true, inside = (_patches(np.asarray(array, np.float64)) for array in (result, truth, mask))
    chosen = inside.mean(axis=(1, 2)) >= INSIDE
    correlations = _ring_correlations(ours[chosen], true[chosen])
    frequencies = factor * np.arange(1, correlations.shape[1] + 1) / (SIDE // 2)
    return np.array([frc_cutoff(frequencies, rings) for rings in correlations])


def _patches(slices: np.ndarray) -> np.ndarray:
    """Return ``(M, SIDE, SIDE)``, half a side apart along both axes of ``(N, H, W)``."""
    windows = np.lib.stride_tricks.sliding_window_view(slices, (SIDE, SIDE), (1, 2))
    return windows[:, :: SIDE // 2, :: SIDE // 2].reshape(-1, SIDE, SIDE)


def _ring_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return, of ``(M, SIDE, SIDE)`` patches, the correlation in each ring below the edge of the spectrum, ``(M, R)``.

    As published, a frequency between two rings counts half for each. A ring without energy has 0.
    """
    window = np.hanning(SIDE)
    spectra = [np.fft.fft2(_without_mean(patches) * np.outer(window, window)) for patches in (first, second)]
    distance = SIDE * np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)).ravel()
    rings = np.arange(1, SIDE // 2)
    weights = sum(np.equal.outer(rounded, rings) for rounded in (np.floor(distance), np.ceil(distance))) / 2

    def ring_sums(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), -1) @ weights

    cross = ring_sums((spectra[0] * spectra[1].conj()).real)
    energy = np.sqrt(ring_sums(np.abs(spectra[0]) ** 2) * ring_sums(np.abs(spectra[1]) ** 2))
    return np.divide(cross, energy, out=np.zeros_like(cross), where=energy > 0)


def _without_mean(patches: np.ndarray) -> np.ndarray:
    return patches - patches.mean(axis=(1, 2), keepdims=True)
