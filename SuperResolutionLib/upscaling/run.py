"""What the steps of one upscaling share: the request, where they run, and how they tell their progress and stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Cancelled
from ..models.devices import Device
from .plan import UpscaleRequest


@dataclass(frozen=True)
class Run:
    """One call of ``upscaling.upscale``, where ``request``, ``progress`` and ``cancelled`` are explained.

    ``device`` is where it begins; when memory runs out, a step may go on elsewhere.
    """

    request: UpscaleRequest
    device: Device
    progress: Callable[[int, int, str], None]
    cancelled: Callable[[], bool]

    def stop_if_cancelled(self) -> None:
        """Raise ``Cancelled`` if ``cancelled()`` returns True."""
        if self.cancelled():
            raise Cancelled
