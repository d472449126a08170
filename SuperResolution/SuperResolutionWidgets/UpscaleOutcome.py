from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class UpscaleOutcome:
    """How a job ended. ``message`` is empty, or one sentence for the user; ``log`` is the worker's last lines."""

    volume: Any | None = None
    report: dict = field(default_factory=dict)
    message: str = ""
    log: str = ""
