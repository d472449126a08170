"""What the header, the spectrum and the program say of how the axes of real scans were acquired."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SuperResolutionLib.acquisition.acquired_band import detect_acquired_band
from SuperResolutionLib.acquisition.spectral_ending import LARGEST_SHARE, spectral_ending
from SuperResolutionLib.acquisition.survey import slice_axis
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.acquired_matrix import SAID_BY, acquired_shares
from SuperResolutionLib.files.dicom.decoding import decoded
from SuperResolutionLib.files.dicom.frames import Frame, frames_of
from SuperResolutionLib.files.dicom.headers import Header, headers_in
from SuperResolutionLib.files.dicom.kinds import why_no_slice
from SuperResolutionLib.files.dicom.stack import stack_of
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.volume import AXES, LPS_TO_RAS, Volume


@dataclass(frozen=True)
class Axis:
    """One in-plane axis of a real scan.

    Attributes:
        scan: what it is called in the table. axis: ``i`` or ``j``, and how many samples are stored along it.
        stated, found, taken: the acquired share by the file (None where it does not tell), by the spectrum alone, and
            by the program. doubt: why the spectrum or the program is not sure, or "".
    """

    scan: str
    axis: str
    samples: int
    stated: float | None
    found: float
    taken: float
    doubt: str

    @property
    def told(self) -> str:
        """What the file says, in one of three groups."""
        if self.stated is None:
            return "says nothing"
        return "says all" if self.stated >= LARGEST_SHARE else "says less"

    @property
    def outcome(self) -> str:
        """What the program makes of it."""
        if self.doubt:
            return self.doubt.split(":")[0]
        return "as stored" if self.taken == 1 else "from the band"


def axes_of(volume: Volume, name: str) -> Iterator[Axis]:
    """Yield the two axes of the slices of a volume."""
    across = slice_axis(volume)
    band = detect_acquired_band(volume, across)
    slices = np.moveaxis(volume.voxels, 2 - across, 0)
    slices = slices[np.unique((np.linspace(0.1, 0.9, 16) * (len(slices) - 1) + 0.5).astype(int))]
    for axis, lines in zip(band.plane, (slices, slices.swapaxes(1, 2))):
        ending = spectral_ending(lines)
        doubt = band.doubts[axis] or (ending.doubt if volume.acquired_shares[axis] is None else "")
        yield Axis(
            name,
            AXES[axis],
            volume.dimensions[axis],
            volume.acquired_shares[axis],
            ending.share,
            band.shares[axis],
            doubt,
        )


def volumes_below(path: Path) -> Iterator[tuple[Volume, str]]:
    """Yield the volume and a name of each MR series below a folder, or of a file.

    Of a series of several volumes it is the one of the first image at each position.
    """
    if path.is_file():
        yield read_volume(path), path.name.split(".")[0]
        return
    for folder, _, _ in sorted(os.walk(path)):
        series: dict[str, list[Header]] = {}
        for header in headers_in(folder):
            if header.series and not header.flaw and header.get("Modality") == "MR" and not why_no_slice(header):
                series.setdefault(header.series, []).append(header)
        for headers in series.values():
            try:
                frames = _one_volume([frame for header in headers for frame in frames_of(header)])
                stack = stack_of(frames, folder)
                shares = acquired_shares(stack.frames)
                volume = Volume(
                    decoded(stack.frames),
                    LPS_TO_RAS @ stack.ijk_to_lps,
                    "MR",
                    slice_axis=2,
                    acquired_shares=shares,
                    acquired_from=SAID_BY if any(shares) else None,
                )
            except InputError as error:
                print(f"- left out: {error}")
                continue
            maker = str(headers[0].get("Manufacturer") or "?").split()[0].title()
            yield volume, f"{maker} {headers[0].get('SeriesDescription') or ''}".strip()


def _one_volume(frames: list[Frame]) -> list[Frame]:
    first = {}
    for frame in frames:
        if frame.shape == frames[0].shape and np.allclose(frame.orientation, frames[0].orientation, atol=1e-3):
            first.setdefault(tuple(np.round(frame.position, 1)), frame)
    return list(first.values())


def print_tables(paths: list[Path]) -> None:
    """Print how many axes there are of each kind, and each one (equal ones counted) where not all say "all"."""
    axes = [axis for path in paths for volume, name in volumes_below(path) for axis in axes_of(volume, name)]
    print(f"\n{len(axes)} axes\n\n| the file | spectrum alone | the program | axes |\n|---|---|---|--:|")
    groups = Counter((axis.told, "all" if axis.found == 1 else "less", axis.outcome) for axis in axes)
    for (told, found, outcome), count in sorted(groups.items()):
        print(f"| {told} | {found} | {outcome} | {count} |")
    print("\n| scan | axis | stored | file | spectrum | program | axes |\n|---|---|--:|--:|--:|---|--:|")
    rows = Counter(
        f"| {axis.scan} | {axis.axis} | {axis.samples} | {'-' if axis.stated is None else f'{axis.stated:.3f}'} |"
        f" {axis.found:.3f} | {axis.outcome if axis.doubt or axis.taken == 1 else f'{axis.taken:.3f}'} |"
        for axis in axes
        if min(axis.found, axis.taken, axis.stated or 1) < 1
    )
    for row, count in sorted(rows.items()):
        print(f"{row} {count} |")
