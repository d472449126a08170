from __future__ import annotations

from SuperResolutionLib.acquired_band import detect_acquired_band
from SuperResolutionLib.planning import slice_axis


class AcquisitionNote:
    """Tells whether a scan is stored finer than it was acquired. Looks at an image once, as that takes a moment."""

    def __init__(self):
        self._image = None
        self._band = None

    def text(self, node, volume, asStored: bool) -> str:
        """Return such as ``Stored at 0.45 mm, acquired at 0.9 mm; upscaled from the acquired band.``, or nothing.

        Args:
            node: the volume node that ``volume`` was made of.
            asStored: whether the user wants the scan left as it is.
        """
        image = (node.GetID(), node.GetImageData().GetMTime(), volume.ijk_to_ras.tobytes())
        if image != self._image:
            self._image, self._band = image, detect_acquired_band(volume, slice_axis(volume))
        return self._band.sentence(asStored) if self._band.zero_filled else ""
