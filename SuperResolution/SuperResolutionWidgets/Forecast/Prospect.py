from __future__ import annotations

from dataclasses import dataclass

from .Workload import Workload


@dataclass(frozen=True)
class Prospect:
    """What a run will make and need.

    Attributes:
        dimensions, spacing: of the result along i, j and k; spacing in mm.
        resultBytes: size of the result in memory. memoryBytes: what the run needs at its highest.
        seconds: how long it takes. measured: whether that comes from a run on this computer.
        addsSlices: whether new slices come between those of the input.
        workload: see ``Workload``.
        volumes: how many are made, of a sequence; bytes and seconds are those of all.
    """

    dimensions: tuple[int, int, int]
    spacing: tuple[float, float, float]
    resultBytes: int
    memoryBytes: float
    seconds: float
    measured: bool
    addsSlices: bool
    workload: Workload
    volumes: int = 1

    def text(self) -> str:
        """Return two lines: such as ``1024 × 1024 × 176 voxels at 0.24 × 0.24 × 1.0 mm, 369 MB`` and what it takes.

        A narrow panel may break the lines between sizes, not within one: those spaces do not break.
        """
        voxels = f"{' × '.join(map(str, self.dimensions))} voxels"
        if self.volumes > 1:
            voxels = f"{self.volumes} volumes of {voxels}"
        millimetres = f"{' × '.join(map(_millimetres, self.spacing))} mm"
        seconds = _duration(self.seconds) + ("" if self.measured else " (a first guess)")
        result, memory = _bytes(self.resultBytes), f"{_bytes(self.memoryBytes)} of memory"
        voxels, millimetres, result, seconds, memory = (
            size.replace(" ", "\u00a0") for size in (voxels, millimetres, result, seconds, memory)
        )
        return f"{voxels} at {millimetres}, {result}\nTakes about {seconds} and {memory}"


def _millimetres(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
