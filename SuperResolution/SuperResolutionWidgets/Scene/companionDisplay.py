from __future__ import annotations

import numpy as np
import slicer

from .Companion import Companion


def colourAs(companion: Companion, display, voxels: np.ndarray) -> None:
    """Give a volume's display node the colours, window and threshold of a companion with such voxels."""
    if slicer.mrmlScene.GetNodeByID(companion.colorNodeID) is not None:
        display.SetAndObserveColorNodeID(companion.colorNodeID)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(*companion.window(voxels))
    threshold = companion.threshold(voxels)
    if threshold is not None:
        display.SetThreshold(threshold, float(np.finfo(np.float32).max))
        display.ApplyThresholdOn()
