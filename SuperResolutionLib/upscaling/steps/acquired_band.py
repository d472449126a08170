"""The first step of a zero-filled scan: back to the samples that were acquired."""

from __future__ import annotations

from dataclasses import dataclass

from ...acquisition.acquired_band import AcquiredBand
from ...geometry.volume import Volume
from ..run import Run, StepResult


@dataclass(frozen=True)
class TakeAcquiredBand:
    """Gives a zero-filled scan on the grid of its acquired samples, which a network can sharpen."""

    band: AcquiredBand

    @property
    def sentence(self) -> str:
        return self.band.sentence()

    def run(self, volume: Volume, run: Run, error: Volume | None = None) -> StepResult:
        # The survey has cropped the scan, or does so now, since its noise and range are needed as well.
        cropped = run.survey.acquired_volume
        return StepResult(cropped, {"kind": "acquired band", "spacing_mm_ijk": [round(v, 6) for v in cropped.spacing]})
