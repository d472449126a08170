from __future__ import annotations

import enum

import numpy as np

COMPANION_ATTRIBUTE = "SuperResolution.Companion"
"""Attribute of a node that holds a ``Companion``: its value."""
SEEN_FROM = 0.25
"""Of the largest errors: smaller ones do not hide the result over which they are faded in."""


class Companion(enum.Enum):
    """A volume that comes with a result where the user wants it; the value is the engine's word for it."""

    ADDED = "added"
    ERROR = "error"

    @property
    def meaning(self) -> str:
        """What its voxels say, in the middle of a sentence."""
        return {
            Companion.ADDED: "what was added to a scan",
            Companion.ERROR: "how far a result may be off",
        }[self]

    def label(self) -> str:
        return {Companion.ADDED: "What was added", Companion.ERROR: "Expected error (1 SD)"}[self]

    @property
    def reference(self) -> str:
        """The role under which the node of a result refers to the node of this volume."""
        return f"SuperResolution.{self.value}"

    @property
    def colorNodeID(self) -> str:
        """Slicer's colour table for it: diverging where values have a sign."""
        table = {Companion.ADDED: "DivergingBlueRed", Companion.ERROR: "Inferno"}[self]
        return f"vtkMRMLColorTableNodeFile{table}.txt"

    def window(self, voxels: np.ndarray) -> tuple[float, float]:
        """Return window and level that show all but the largest 0.5 %; 0 is in the middle where values have a sign."""
        largest = _largest(voxels)
        return (2 * largest, 0.0) if self is Companion.ADDED else (largest, largest / 2)

    def threshold(self, voxels: np.ndarray) -> float | None:
        """Return the value below which voxels let through what lies under them, or None where all are to be seen."""
        return SEEN_FROM * _largest(voxels) if self is Companion.ERROR else None


def _largest(voxels: np.ndarray) -> float:
    """Return what all but 0.5 % of some of the voxels are below, in size."""
    step = max(1, round((voxels.size / 1e6) ** (1 / 3)))
    return float(np.percentile(np.abs(voxels[::step, ::step, ::step]), 99.5)) or 1.0
