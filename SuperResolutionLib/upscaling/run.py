"""What the steps of one upscaling share, and what each of them gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..acquisition.survey import Survey
from ..errors import Cancelled
from ..geometry.volume import Volume
from ..models.bundles import Model

if TYPE_CHECKING:
    from ..models.devices import Device
    from ..models.networks.network import Network


@dataclass(frozen=True)
class Run:
    """One upscaling as it goes on.

    Attributes:
        survey: of the scan that it began with.
        device: where it begins; when memory runs out, a step may go on elsewhere.
        progress, cancelled: as of ``upscale.upscale``.
        load: gives the network of a model at a detail, as ``Model.load`` does; no step changes what it is given.
    """

    survey: Survey
    device: Device
    progress: Callable[[int, int, str], None]
    cancelled: Callable[[], bool]
    load: Callable[[Model, float], Network] = Model.load

    def stop_if_cancelled(self) -> None:
        """Raise ``Cancelled`` if ``cancelled()`` returns True."""
        if self.cancelled():
            raise Cancelled


@dataclass(frozen=True)
class StepResult:
    """What a step gives.

    Attributes:
        volume: the volume.
        part: the step's part of the report, JSON-able; ``kind`` says which step it was.
        device: where it ended, as ``torch`` names it, or None where it used no network.
        warnings: what went otherwise than planned, in sentences.
        error: its expected error, where it was asked for.
    """

    volume: Volume
    part: dict
    device: str | None = None
    warnings: list[str] = field(default_factory=list)
    error: Volume | None = None


class Step(Protocol):
    """A part of a plan. It is complete before any voxel is computed, and knows no other step."""

    @property
    def sentence(self) -> str:
        """What the step does and why so, in one sentence for the user."""

    def run(self, volume: Volume, run: Run, error: Volume | None = None) -> StepResult:
        """Return what the step makes of ``volume``, whose expected error is ``error`` where a step before gave one.

        Raises:
            InputError: the result does not fit into the memory, or a model folder is damaged.
            Cancelled: ``run.cancelled()`` returned True.
        """
