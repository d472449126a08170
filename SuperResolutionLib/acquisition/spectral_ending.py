"""Where the spectrum of a scan's lines ends: nowhere, at an edge, or so that nobody can tell.

Anatomy decays like a power of the frequency, and blur, noise and coils bend that gently; where k-space was filled
there is a steep edge and beyond it a floor (rounding, and what taking the magnitude leaks). Only a steep edge with a
flat floor after it counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

FEWEST_SAMPLES = 48
"""Along shorter lines the spectrum has too few bins to tell an edge."""
LARGEST_SHARE = 0.9
"""Above this a scan stays as it is: little is gained, and anti-aliasing filters end there too."""
SMALLEST_SHARE = 0.25
"""Below it no edge is believed: the spectra of grid phantoms and other periodic objects have such."""
HALF_WITHIN = 0.02
"""A share this close to 1/2, by far the most common one, is taken for 1/2."""
HALF_IN_FALL_WITHIN = 0.06
"""So is one this close where 1/2 lies in the fall itself: soft edges of real halves were measured at up to 0.557."""
SHARP = 150
"""dB per Nyquist frequency, from which on an edge is sharp."""
RISES = 4
"""dB, the smallest fall that makes an edge: beyond the edge of a band the spectrum stays lower by that."""

TOO_FEW = "too few samples to tell"
UNSURE = "unsure: the spectrum falls, but at no clear edge"


@dataclass(frozen=True, eq=False)
class Ending:
    """Where the spectrum along an axis ends.

    Attributes:
        share: of the stored frequencies that it reaches over; 1.0 where no end is found.
        doubt: why there may be an end all the same: ``TOO_FEW``, ``UNSURE`` or "".
        sharp: whether it ends at a sharp edge, with nothing beyond.
        frequency, spectrum: ascending, as a share of the Nyquist frequency, and in dB.
    """

    share: float = 1.0
    doubt: str = ""
    sharp: bool = False
    frequency: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    spectrum: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)

    def fall_at(self, share: float) -> float:
        """Return by how many dB the spectrum falls across a share of the stored frequencies, where it has an end."""
        near = max(0.04, 2 * self.frequency[1])
        below = (self.frequency >= share - near) & (self.frequency < share)
        above = (self.frequency > share) & (self.frequency <= share + near)
        return float(self.spectrum[below].mean() - self.spectrum[above].mean())


def spectral_ending(slices: np.ndarray) -> Ending:
    """Return where the median spectrum along the last axis of ``(N, H, W)`` slices ends."""
    count = slices.shape[-1]
    if count < FEWEST_SAMPLES:
        return Ending(doubt=TOO_FEW)
    frequency, spectrum = np.fft.rfftfreq(count, 0.5), _log_spectrum(slices)
    edge = None if spectrum is None else _band_edge(frequency, spectrum)
    if spectrum is None or edge is None:
        return Ending()
    bin_width = 2 / count
    # The window smears the edge: a sharp one reaches the floor 2.5 bins after the band, a soft one hardly later.
    share = edge.end - bin_width * (2.5 if edge.end - edge.start < 5 * bin_width else 1)
    within = HALF_IN_FALL_WITHIN if edge.start <= 0.5 <= edge.end else HALF_WITHIN
    if abs(share - 0.5) <= within and count % 2 == 0:
        share = 0.5
    if share > LARGEST_SHARE:
        return Ending()
    if share < SMALLEST_SHARE or not edge.clear:
        return Ending(doubt=UNSURE)
    before = spectrum[frequency <= edge.start][-1]
    beyond = spectrum[frequency > edge.end + 2 * bin_width][:-2]
    sharp = edge.steepness >= SHARP and bool((beyond < before - RISES).all())
    return Ending(share, "", sharp, frequency, spectrum)


def _log_spectrum(slices: np.ndarray) -> np.ndarray | None:
    """Return, in dB, the median power along the last axis of all lines with content; None if there is none.

    The median passes over the lines that a mask cut off, which have power at all frequencies.
    """
    count = slices.shape[-1]
    window = np.hanning(count + 2)[1:-1]  # lines seldom end where they began, and that jump would fill the spectrum
    powers, energies = [], []
    for image in slices:
        lines = image - image.mean(axis=-1, keepdims=True, dtype=np.float64)
        energies.append((lines**2).sum(axis=-1))
        powers.append((np.abs(np.fft.rfft(lines * window, axis=-1)) ** 2).astype(np.float32))
    energy, power = np.concatenate(energies), np.concatenate(powers)
    if not 0 < energy.sum() < np.inf:
        return None
    power = np.median(power[energy > 0.3 * np.median(energy[energy > 0])], axis=0)
    return 10 * np.log10(power + 1e-14 * power.max()) if power.any() else None


class _Edge(NamedTuple):
    """Where the spectrum starts to fall and where it reaches the floor, as shares of the Nyquist frequency.

    Attributes:
        steepness: of the fall, dB per Nyquist frequency.
        clear: whether the edge describes the spectrum as well as anything does, and not from the end of the search.
    """

    start: float
    end: float
    steepness: float
    clear: bool


def _band_edge(frequency: np.ndarray, spectrum: np.ndarray) -> _Edge | None:
    """Return where the spectrum falls steeply to a flat floor; None where it does not.

    The model is anatomy's power law and a quadratic roll-off, ``a + b log f + c f^2``, plus a straight fall between two
    frequencies, after which the slope is free again. It is fitted by least squares for all pairs of them.

    Args:
        frequency: ascending, as a share of the Nyquist frequency.
        spectrum: in dB.
    """
    # Left of 0.15 the size of the body decides, not the anatomy in it; the last bins belong to the window.
    used = (frequency >= 0.15) & (np.arange(len(frequency)) < len(frequency) - 2)
    f, level = frequency[used], spectrum[used]
    bin_width = frequency[1]
    ends = np.arange(0.28, min(0.95, f[-1] - 3.5 * bin_width), max(bin_width, 0.01))
    widths = np.array([0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25])
    widths = np.unique([2 * bin_width, *widths[widths >= 2 * bin_width]])
    end, start = (pair.ravel() for pair in (ends[:, None] + 0 * widths, ends[:, None] - widths))
    end, start = end[start >= 0.2], start[start >= 0.2]
    smooth = np.stack([np.ones_like(f), np.log(f), f**2], axis=1)
    bends = np.maximum(f[:, None] - np.stack([start, end], axis=1)[:, None], 0)  # (pairs, frequencies, 2)
    # Least squares with the smooth part projected out leaves two unknowns a pair: the changes of slope.
    basis = np.linalg.qr(smooth)[0]
    own = bends - basis @ (basis.T @ bends)
    gram, moment = own.swapaxes(1, 2) @ own, own.swapaxes(1, 2) @ (level - basis @ (basis.T @ level))
    change = np.linalg.solve(gram + 1e-9 * np.eye(2), moment[..., None])[..., 0]
    left = level - (bends @ change[..., None])[..., 0]
    curve = left @ np.linalg.pinv(smooth).T
    error = ((left - curve @ smooth.T) ** 2).mean(axis=1)

    def slope(at: np.ndarray) -> np.ndarray:
        return curve[:, 1] / at + 2 * curve[:, 2] * at

    drop = change[:, 0] * (start - end)
    fall = -(change[:, 0] + slope(end))
    afterwards = -(change.sum(axis=1) + slope((end + 1) / 2))
    # dB, and dB per Nyquist frequency: a soft edge must be deep, what is left by a window such as Hamming's is sharp.
    steep = ((drop >= 10) & (fall >= 75)) | ((drop >= 4) & (fall >= SHARP))
    fits = error <= 2 * error.min() + 0.05
    edges = steep & (afterwards <= np.minimum(40, fall / 2))
    clear = bool((edges & fits).any())
    found = np.flatnonzero(edges & fits if clear else edges)
    if not len(found):
        return None
    best = found[np.argmin(error[found])]
    inside = ends[0] < end[best] < ends[-1]
    return _Edge(float(start[best]), float(end[best]), float(fall[best]), clear and bool(inside))
