from __future__ import annotations

import json
import os

from .Settings import Settings
from .Workload import Workload


class RunTimes:
    """Foretells how long a run takes from the runs that this computer has made before.

    A run takes a start (Python, PyTorch, the files) and a time for each megavoxel of its result. Both are remembered
    from the last run of the same kind on the same device.
    """

    KEY = "SuperResolution/RunTimes"
    START_SECONDS = 8.0
    SECONDS_PER_MEGAVOXEL = {2: 1.4, 4: 0.2}
    """Compact networks on two CPU cores; only where no run was remembered."""
    TIMES_AS_LONG_WITH_RRDB = 4.0
    """As the benchmark measured it."""
    SECONDS_PER_MEGAVOXEL_OF_NEW_SLICES = 4.3
    """Processor time of two cores of an AMD EPYC with AVX-512 in float32; bfloat16 takes half of it."""
    SECONDS_TO_ADAPT = 100.0
    """Also on two cores, also a guess."""
    MOST_CORES = 8
    SMALLEST_MEGAVOXELS = 1.0
    """In smaller runs the network's share is too small to learn from."""

    def __init__(self, settings: Settings, cores: int | None = None):
        self._settings = settings
        self._cores = min(self.MOST_CORES, cores or os.cpu_count() or 1)

    def seconds(self, workload: Workload) -> tuple[float, bool]:
        """Return how long a run takes, in seconds, and whether that comes from a run that was made here."""
        start, paces = self._remembered()
        pace = paces.get(self._kind(workload))
        if pace is not None:
            return start + workload.megavoxels * pace, True
        work = workload.megavoxels * self.SECONDS_PER_MEGAVOXEL[2 if workload.factor <= 2 else 4]
        work *= 1.0 if workload.compact else self.TIMES_AS_LONG_WITH_RRDB
        if workload.newSlices:
            # Where the slice plane stays as it is, no other network runs.
            work *= workload.factor > 1
            work += workload.megavoxels * self.SECONDS_PER_MEGAVOXEL_OF_NEW_SLICES
        return start + (work + self.SECONDS_TO_ADAPT * workload.adapted) * 2 / self._cores, False

    def remember(self, workload: Workload, seconds: float, engineSeconds: float) -> None:
        """Learn from a run that has ended.

        Args:
            seconds: how long the user waited. engineSeconds: the part of it that the engine reports.
        """
        _, paces = self._remembered()
        if workload.megavoxels >= self.SMALLEST_MEGAVOXELS:
            paces[self._kind(workload)] = engineSeconds / workload.megavoxels
        start = max(0.0, seconds - engineSeconds)
        self._settings.setValue(self.KEY, json.dumps({"start": start, "paces": paces}))

    def _kind(self, workload: Workload) -> str:
        return f"{workload.device} {workload.network} x{workload.factor}{' adapted' * workload.adapted}"

    def _remembered(self) -> tuple[float, dict[str, float]]:
        try:
            stored = json.loads(self._settings.value(self.KEY) or "{}")
            paces = {str(kind): float(pace) for kind, pace in stored.get("paces", {}).items()}
            return float(stored.get("start", self.START_SECONDS)), paces
        except (ValueError, TypeError, AttributeError):
            # Somebody edited the settings file.
            return self.START_SECONDS, {}
