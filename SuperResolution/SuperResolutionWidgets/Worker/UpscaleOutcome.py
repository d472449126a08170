from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class UpscaleOutcome:
    """How a job ended.

    Attributes:
        volume: the result, None where there is none; of a sequence the first. companions: ``Companion`` to its volume.
        frames: of a sequence, the outcome of each volume; ``report`` is the first one's, but for the seconds of all.
        message: empty, or one sentence for the user. log: the worker's last lines.
    """

    volume: Any | None = None
    companions: dict = field(default_factory=dict)
    report: dict = field(default_factory=dict)
    frames: tuple[UpscaleOutcome, ...] = ()
    message: str = ""
    log: str = ""
