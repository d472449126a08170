from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .Companion import Companion
from .Workload import Workload


@dataclass(frozen=True)
class UpscaleTask:
    """A run as it was asked for; what the user changes in the panel afterwards does not touch it.

    Attributes:
        inputNode: the volume node to upscale. outputNode: the one to fill; None makes a new one, called ``name``.
        options: of the command ``upscale``.
        companions: each ``Companion`` that is wanted beside the result.
        region: R, A, S, R, A, S in mm, as in ``options``.
        workload: what its time is remembered for; None where that would tell nothing.
    """

    inputNode: Any
    outputNode: Any
    name: str
    options: tuple[str, ...]
    companions: tuple[Companion, ...] = ()
    region: tuple[float, ...] | None = None
    workload: Workload | None = None

    def ofSlice(self, index: int) -> UpscaleTask:
        """Return the run that makes one slice only, and what was added to it."""
        options = (*self.options, "--slices", f"{index},{index}")
        return replace(
            self,
            outputNode=None,
            name=f"Slice {index}",
            options=options,
            companions=(Companion.ADDED,),
            workload=None,
        )
