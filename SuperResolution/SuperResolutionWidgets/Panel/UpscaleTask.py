from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..Forecast.Workload import Workload
from ..Scene.Companion import Companion
from ..Views.Cut import Cut
from .Quality import Quality


@dataclass(frozen=True)
class UpscaleTask:
    """A run as it was asked for; what the user changes in the panel afterwards does not touch it.

    Attributes:
        inputNode: the volume node to upscale. outputNode: the one to fill; None makes a new one, called ``name``.
        options: of the command ``upscale``, but for the region.
        companions: each ``Companion`` that is wanted beside the result.
        region: R, A, S, R, A, S in mm, or None for all.
        sliceAxis: the axis across the slices; 0, 1, 2 for i, j, k.
        addsSlices: whether new slices come between those of the input.
        workload: what its time is remembered for; None where that would tell nothing.
    """

    inputNode: Any
    outputNode: Any
    name: str
    options: tuple[str, ...]
    companions: tuple[Companion, ...] = ()
    region: tuple[float, ...] | None = None
    sliceAxis: int = 2
    addsSlices: bool = False
    workload: Workload | None = None

    def commandOptions(self) -> list[str]:
        """Return all options of the command ``upscale``, those of the companions left out."""
        if self.region is None:
            return list(self.options)
        # One word: a value that begins with a minus sign would be taken for an option.
        return [*self.options, "--region=" + ",".join(f"{value:.6f}" for value in self.region)]

    def quick(self) -> UpscaleTask:
        """Return the run with the compact network, at that network's own detail."""
        options = list(self.options)
        options[options.index("--quality") + 1] = Quality.FAST.value
        if "--detail" in options:
            place = options.index("--detail")
            del options[place : place + 2]
        return replace(self, options=tuple(options), workload=None)

    def ofCut(self, cut: Cut) -> UpscaleTask:
        """Return the run that makes one slice, or one cut through the slices, and what was added to it.

        Its network is not adapted to the scan, which would take minutes.
        """
        options = tuple(option for option in self.options if option != "--adapt")
        return replace(
            self,
            outputNode=None,
            name=f"Preview of {self.inputNode.GetName()}",
            options=(*options, "--box", ",".join(map(str, (*cut.first, *cut.last)))),
            companions=(Companion.ADDED,),
            region=None,
            workload=None,
        )
