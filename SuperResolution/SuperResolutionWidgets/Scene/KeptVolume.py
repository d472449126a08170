from __future__ import annotations

from dataclasses import fields

import numpy as np

from SuperResolutionLib.geometry.volume import Volume

from .VolumeNodes import volumeFromNode


class KeptVolume:
    """Gives the same ``Volume`` as long as a node holds the same image, so that who has seen it knows it again."""

    def __init__(self):
        self._image = None
        self._volume: Volume | None = None

    def of(self, node) -> Volume:
        """Return the node's volume; see ``volumeFromNode``, also for the errors."""
        volume = volumeFromNode(node)
        image = (node.GetID(), node.GetImageData().GetMTime())
        if image != self._image or not self._isKept(volume):
            self._image, self._volume = image, volume
        return self._volume

    def forget(self) -> None:
        """Let go of the voxels."""
        self._image = self._volume = None

    def _isKept(self, volume: Volume) -> bool:
        names = [field.name for field in fields(volume) if field.name not in ("voxels", "ijk_to_ras")]
        return np.array_equal(volume.ijk_to_ras, self._volume.ijk_to_ras) and all(
            getattr(volume, name) == getattr(self._volume, name) for name in names
        )
