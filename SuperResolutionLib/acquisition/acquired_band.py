"""The band of k-space that was acquired of a scan that may be stored finer, and who says so.

Scanners often store a finer grid than they acquired: k-space is padded with zeros (or the image is interpolated), so
that along an axis nothing lies beyond some frequency. A network that is fed such a scan finds no aliasing and no edges
of its own scale and sharpens nothing; fed the acquired band it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..geometry.ijk import ijk
from ..geometry.volume import AXES, Volume
from .spectral_ending import LARGEST_SHARE, SMALLEST_SHARE, TOO_FEW, Ending, spectral_ending

MOST_SLICES = 16
WELL_BELOW = 0.85
"""An edge in the spectrum below this part of a stated share is no inexactness of the one or the other."""
FALLS = 3.0
"""dB, what the spectrum loses at least where a band ends that was acquired as stated."""
THE_SPECTRUM, THE_REQUEST, NOBODY = "the spectrum", "the request", "nobody"


@dataclass(frozen=True)
class AcquiredBand:
    """The part of k-space that a scan fills.

    Attributes:
        across: the axis across the slices: 0, 1, 2 for i, j, k.
        spacing: mm along i, j and k of the stored grid.
        shares: acquired share of the stored frequencies along i, j and k; 1.0 where nothing was filled, and always
            across the slices, which stay.
        dimensions: number of samples along i, j and k that hold the band.
        said_by: who says so, along i, j and k.
        doubts: along i, j and k, why an axis that stays as it is stored may hold less, or "".
    """

    across: int
    spacing: tuple[float, float, float]
    shares: tuple[float, float, float]
    dimensions: tuple[int, int, int]
    said_by: tuple[str, str, str] = (THE_SPECTRUM, THE_SPECTRUM, THE_SPECTRUM)
    doubts: tuple[str, str, str] = ("", "", "")

    @classmethod
    def whole(cls, volume: Volume, across: int) -> AcquiredBand:
        """Return the band of a scan of which every stored frequency counts as acquired."""
        return cls(across, volume.spacing, (1.0, 1.0, 1.0), volume.dimensions)

    @classmethod
    def asked_for(cls, volume: Volume, across: int, samples: tuple[int, int]) -> AcquiredBand:
        """Return the band of a scan whose acquired samples the user states.

        Args:
            samples: along the two axes of the slices, in the order i, j, k.

        Raises:
            InputError: more than are stored, fewer than a quarter of them, or not two whole numbers.
        """
        plane = [axis for axis in range(3) if axis != across]
        stored = [volume.dimensions[axis] for axis in plane]
        fewest = [max(2, int(np.ceil(SMALLEST_SHARE * size))) for size in stored]
        whole = len(samples) == 2 and all(isinstance(count, (int, np.integer)) for count in samples)
        if not whole or not all(low <= count <= high for low, count, high in zip(fewest, samples, stored)):
            ranges = (f"{low} to {high} along {AXES[axis]}" for low, high, axis in zip(fewest, stored, plane))
            raise InputError(
                f"An acquired matrix of {_by_x(samples)} cannot be that of slices of {_by_x(stored)} voxels; give"
                f" {' and '.join(ranges)}."
            )
        dimensions = list(volume.dimensions)
        for axis, count in zip(plane, samples):
            dimensions[axis] = int(count)
        shares = ijk(kept / size for kept, size in zip(dimensions, volume.dimensions))
        return cls(across, volume.spacing, shares, ijk(dimensions), (THE_REQUEST,) * 3)

    @property
    def zero_filled(self) -> bool:
        """Whether the scan is zero-filled, or interpolated, along any axis."""
        return min(self.shares) < 1

    @property
    def acquired_spacing(self) -> tuple[float, float, float]:
        """The spacing along i, j and k, in mm, at which the band's samples tile the scan's box."""
        i, j, k = (spacing / share for spacing, share in zip(self.spacing, self.shares))
        return i, j, k

    @property
    def plane(self) -> tuple[int, int]:
        """The axes of the slices."""
        first, last = (axis for axis in range(3) if axis != self.across)
        return first, last

    @property
    def acquired_from(self) -> str:
        """Who says so, such as ``the DICOM header``, or ``the DICOM header along i, the spectrum along j``."""
        first, last = self.plane
        if self.said_by[first] == self.said_by[last]:
            return self.said_by[first]
        return ", ".join(f"{self.said_by[axis]} along {AXES[axis]}" for axis in (first, last))

    def sentence(self, as_stored: bool = False) -> str:
        """Return ``in_words`` as a sentence that also says what is upscaled.

        Args:
            as_stored: whether a filled scan is left as it is.
        """
        if self.zero_filled:
            outcome = "; left as stored" if as_stored else "; upscaled from the acquired band"
        else:
            outcome = "; left as stored" if any(self.doubts) else ""
        return f"S{self.in_words()[1:]}{outcome}."

    def in_words(self) -> str:
        """Return such as ``stored at 0.45 mm, acquired at 0.9 mm``, in the plane; two numbers where they differ.

        Axes on which nobody can be sure, and for what reason, follow.
        """
        stored, doubted = self._in_plane(self.spacing), [axis for axis in range(3) if self.doubts[axis]]
        sure = [axis for axis in self.plane if axis not in doubted]
        if self.zero_filled:
            words = [f"stored at {stored}, acquired at {self._in_plane(self.acquired_spacing)}"]
        elif len(sure) == 2:
            words = [f"stored at {stored}, acquired as stored (not zero-filled)"]
        elif sure:
            words = [f"stored at {stored}, acquired as stored along {AXES[sure[0]]} (not zero-filled)"]
        else:
            words = [f"stored at {stored}"]
        for doubt in dict.fromkeys(self.doubts[axis] for axis in doubted):
            axes = [AXES[axis] for axis in doubted if self.doubts[axis] == doubt]
            words.append(f"along {' and '.join(axes)} {doubt}")
        return "; ".join(words)

    def _in_plane(self, spacing: tuple[float, float, float]) -> str:
        texts = [f"{value:.2f}".rstrip("0").rstrip(".") for axis, value in enumerate(spacing) if axis != self.across]
        return f"{' x '.join(texts if texts[0] != texts[1] else texts[:1])} mm"


def detect_acquired_band(volume: Volume, across: int) -> AcquiredBand:
    """Return the band that the slices of ``volume`` fill along their two axes.

    What the file says (``Volume.acquired_shares``) comes first, with its exact number of samples; the spectrum
    (``spectral_ending``) where it says nothing, or where a sharp edge shows that still less was acquired. Where all was
    acquired, so the file, but the spectrum ends before, the scan was filtered, and stays as it is stored.

    Args:
        volume: at most 16 of its slices are read.
        across: the axis across the slices, 0, 1, 2 for i, j, k.
    """
    slices = np.moveaxis(volume.voxels, 2 - across, 0)
    slices = slices[np.unique((np.linspace(0.1, 0.9, MOST_SLICES) * (len(slices) - 1) + 0.5).astype(int))]
    shares, dimensions = [1.0, 1.0, 1.0], list(volume.dimensions)
    said_by, doubts = [THE_SPECTRUM] * 3, [""] * 3
    plane = [axis for axis in range(3) if axis != across]
    for axis, lines in zip(plane, (slices, slices.swapaxes(1, 2))):
        share, said_by[axis], doubts[axis] = _share(
            spectral_ending(lines), volume.acquired_shares[axis], str(volume.acquired_from)
        )
        dimensions[axis] = int(round(share * dimensions[axis]))
        shares[axis] = dimensions[axis] / volume.dimensions[axis]
    through = volume.acquired_shares[across]
    if through is not None and through < LARGEST_SHARE:
        doubts[across] = f"{through:.2f} of the slices were acquired (so says {volume.acquired_from}), and all are kept"
    return AcquiredBand(across, volume.spacing, ijk(shares), ijk(dimensions), _three(said_by), _three(doubts))


def _share(ending: Ending, stated: float | None, file: str) -> tuple[float, str, str]:
    """Return the acquired share along an axis, who says so, and why it may be less.

    Args:
        stated: the share that ``file`` states; None where it states none.
    """
    if stated is None or stated < SMALLEST_SHARE:
        return ending.share, NOBODY if ending.doubt == TOO_FEW else THE_SPECTRUM, ending.doubt
    if stated >= LARGEST_SHARE:
        filtered = (
            f"filtered, not filled: all was acquired (so says {file}), and the spectrum ends at {ending.share:.2f}"
        )
        return 1.0, file, filtered if ending.share < 1 else ""
    if ending.sharp and ending.share < WELL_BELOW * stated and ending.fall_at(stated) < FALLS:
        return ending.share, f"{THE_SPECTRUM}, whose sharp edge lies below the {stated:.2f} of {file}", ""
    return stated, file, ""


def _three(texts: Iterable[str]) -> tuple[str, str, str]:
    i, j, k = texts
    return i, j, k


def _by_x(values: Iterable[object]) -> str:
    return "x".join(map(str, values))
