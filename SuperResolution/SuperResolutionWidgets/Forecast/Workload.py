from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """What the time of a run depends on.

    Attributes:
        device: as the engine is asked for it: ``auto``, ``cpu``, ``cuda:N`` or ``mps``.
        network: the model's name, or the quality that chooses it, and whether new slices are made.
        factor: how much finer the network makes the slice plane.
        megavoxels: of the result, times eight where the network runs eight times.
        adapted: whether the network learns from the scan first.
        newSlices: whether new slices are made, which takes a network of its own.
        compact: whether the slice plane's network is a compact one.
    """

    device: str
    network: str
    factor: int
    megavoxels: float
    adapted: bool = False
    newSlices: bool = False
    compact: bool = True
