"""Zero-filled scans: the band of k-space that was acquired, found in the spectrum.

Scanners often store a finer grid than they acquired: k-space is padded with zeros (or the image is interpolated), so
that along an axis nothing lies beyond some frequency. A network that is fed such a scan finds no aliasing and no edges
of its own scale and sharpens nothing; fed the acquired band it does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.volume import Volume

MOST_SLICES = 16
FEWEST_SAMPLES = 48
"""Along shorter lines the spectrum has too few bins to tell an edge; such an axis counts as not filled."""
LARGEST_SHARE = 0.9
"""Above this a scan stays as it is: little is gained, and anti-aliasing filters end there too."""
HALF_WITHIN = 0.02
"""A share this close to 1/2, by far the most common one, is taken for 1/2."""


@dataclass(frozen=True)
class AcquiredBand:
    """The part of k-space that a scan fills.

    Attributes:
        across: the axis across the slices: 0, 1, 2 for i, j, k.
        spacing: mm along i, j and k of the stored grid.
        shares: acquired share of the stored frequencies along i, j and k; 1.0 where nothing was filled, and always
            across the slices, where nobody looked.
        dimensions: number of samples along i, j and k that hold the band.
    """

    across: int
    spacing: tuple[float, float, float]
    shares: tuple[float, float, float]
    dimensions: tuple[int, int, int]

    @classmethod
    def whole(cls, volume: Volume, across: int) -> AcquiredBand:
        """Return the band of a scan of which every stored frequency counts as acquired."""
        return cls(across, volume.spacing, (1.0, 1.0, 1.0), volume.dimensions)

    @property
    def zero_filled(self) -> bool:
        """Whether the scan is zero-filled, or interpolated, along any axis."""
        return min(self.shares) < 1

    @property
    def acquired_spacing(self) -> tuple[float, float, float]:
        """The spacing along i, j and k, in mm, at which the band's samples tile the scan's box."""
        i, j, k = (spacing / share for spacing, share in zip(self.spacing, self.shares))
        return i, j, k

    def sentence(self, as_stored: bool = False) -> str:
        """Return ``in_words`` as a sentence that also says what is upscaled.

        Args:
            as_stored: whether a filled scan is left as it is.
        """
        outcome = ("; left as stored" if as_stored else "; upscaled from the acquired band") * self.zero_filled
        return f"S{self.in_words()[1:]}{outcome}."

    def in_words(self) -> str:
        """Return such as ``stored at 0.45 mm, acquired at 0.9 mm``, in the plane; two numbers where they differ."""
        if not self.zero_filled:
            return f"stored at {self._in_plane(self.spacing)}, acquired as stored (not zero-filled)"
        return f"stored at {self._in_plane(self.spacing)}, acquired at {self._in_plane(self.acquired_spacing)}"

    def _in_plane(self, spacing: tuple[float, float, float]) -> str:
        texts = [f"{value:.2f}".rstrip("0").rstrip(".") for axis, value in enumerate(spacing) if axis != self.across]
        return f"{' x '.join(texts if texts[0] != texts[1] else texts[:1])} mm"


def detect_acquired_band(volume: Volume, across: int) -> AcquiredBand:
    """Return the band that the slices of ``volume`` fill along their two axes.

    Along an axis the median power spectrum of the lines with content is looked at. Anatomy decays like a power of the
    frequency, and blur, noise and coils bend that gently; where k-space was filled there is a steep edge and beyond it
    a floor (rounding, and what taking the magnitude leaks). Only a steep edge with a flat floor after it counts.

    Args:
        volume: at most 16 of its slices are read.
        across: the axis across the slices, 0, 1, 2 for i, j, k.
    """
    slices = np.moveaxis(volume.voxels, 2 - across, 0)
    slices = slices[np.unique((np.linspace(0.1, 0.9, MOST_SLICES) * (len(slices) - 1) + 0.5).astype(int))]
    shares, dimensions = [1.0, 1.0, 1.0], list(volume.dimensions)
    in_plane = [axis for axis in range(3) if axis != across]
    for axis, lines in zip(in_plane, (slices, slices.swapaxes(1, 2))):
        dimensions[axis] = int(round(_acquired_share(lines) * dimensions[axis]))
        shares[axis] = dimensions[axis] / volume.dimensions[axis]
    return AcquiredBand(
        across, volume.spacing, (shares[0], shares[1], shares[2]), (dimensions[0], dimensions[1], dimensions[2])
    )


def _acquired_share(slices: np.ndarray) -> float:
    """Return the acquired share of the frequencies along the last axis of ``(N, H, W)`` slices, 1.0 where unsure."""
    count = slices.shape[-1]
    if count < FEWEST_SAMPLES:
        return 1.0
    spectrum = _log_spectrum(slices)
    edge = None if spectrum is None else _band_edge(np.fft.rfftfreq(count, 0.5), spectrum)
    if edge is None:
        return 1.0
    start, end = edge
    bin_width = 2 / count
    # The window smears the edge: a sharp one reaches the floor 2.5 bins after the band, a soft one hardly later.
    share = end - bin_width * (2.5 if end - start < 5 * bin_width else 1)
    if abs(share - 0.5) <= HALF_WITHIN and count % 2 == 0:
        return 0.5
    return share if share <= LARGEST_SHARE else 1.0


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


def _band_edge(frequency: np.ndarray, spectrum: np.ndarray) -> tuple[float, float] | None:
    """Return where the spectrum starts to fall steeply and where it reaches the floor, or None without such an edge.

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
    steep = ((drop >= 10) & (fall >= 75)) | ((drop >= 4) & (fall >= 150))
    fits = error <= 2 * error.min() + 0.05
    found = np.flatnonzero(steep & fits & (afterwards <= np.minimum(40, fall / 2)))
    if not len(found):
        return None
    best = found[np.argmin(error[found])]
    return float(start[best]), float(end[best])
