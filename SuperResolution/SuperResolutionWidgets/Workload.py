from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """What the time of a run depends on.

    Attributes:
        device: as the engine is asked for it: ``auto``, ``cpu``, ``cuda:N`` or ``mps``.
        network: the model's name, or the quality that chooses it.
        factor: how much finer the network makes the slice plane.
        megavoxels: of the result, times eight where the network runs eight times.
    """

    device: str
    network: str
    factor: int
    megavoxels: float
