from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from SuperResolutionLib.geometry.grid import Box

from ..Forecast.Workload import Workload
from ..Scene.Companion import Companion
from ..Views.Cut import Cut
from .Quality import Quality


@dataclass(frozen=True)
class UpscaleTask:
    """A run as it was asked for; what the user changes in the panel afterwards does not touch it.

    Attributes:
        inputNode: the volume node to upscale. outputNode: the one to fill; None makes a new one, called ``name``.
        otherScans: the volume nodes that are to be fused with ``inputNode``; none where it is upscaled.
        sequenceNode: the sequence to upscale instead, whose current volume ``inputNode`` is; or None.
        options: of the command ``upscale``, but for the box; of ``fuse`` where there are other scans.
        companions: each ``Companion`` that is wanted beside the result.
        box: first and last (excluded) index along i, j and k of what is upscaled, or None for all.
        imageTime: when the voxels were last changed: the same run of other voxels is another one.
        sliceAxis: the axis across the slices; 0, 1, 2 for i, j, k.
        addsSlices: whether new slices come between those of the input.
        workload: what its time is remembered for; None where that would tell nothing.
    """

    inputNode: Any
    outputNode: Any
    name: str
    options: tuple[str, ...]
    companions: tuple[Companion, ...] = ()
    box: Box | None = None
    imageTime: int = 0
    sliceAxis: int = 2
    addsSlices: bool = False
    workload: Workload | None = None
    sequenceNode: Any = None
    otherScans: tuple[Any, ...] = ()

    def commandOptions(self) -> list[str]:
        """Return all options of the command ``upscale``, those of the companions left out."""
        if self.box is None:
            return list(self.options)
        first, last = self.box
        return [*self.options, "--box", ",".join(map(str, (*first, *last)))]

    def quick(self) -> UpscaleTask:
        """Return the run with the compact network, at that network's own detail."""
        options = list(self.options)
        options[options.index("--quality") + 1] = Quality.FAST.value
        if "--detail" in options:
            place = options.index("--detail")
            del options[place : place + 2]
        return replace(self, options=tuple(options), workload=None)

    def ofCut(self, cut: Cut) -> UpscaleTask:
        """Return the run that makes one slice, or one cut through the slices, what was added, and the error if wanted.

        Its network is not adapted to the scan, which would take minutes.
        """
        options = tuple(option for option in self.options if option != "--adapt")
        return replace(
            self,
            outputNode=None,
            name=f"Preview of {self.inputNode.GetName()}",
            options=options,
            companions=tuple(c for c in Companion if c is Companion.ADDED or c in self.companions),
            box=(cut.first, cut.last),
            workload=None,
            sequenceNode=None,
        )
