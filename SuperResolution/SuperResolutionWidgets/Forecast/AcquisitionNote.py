from __future__ import annotations

from SuperResolutionLib.acquisition.acquired_band import AcquiredBand, detect_acquired_band
from SuperResolutionLib.upscaling.plan import slice_axis


class AcquisitionNote:
    """Tells whether a scan is stored finer than it was acquired. Looks at an image once, as that takes a moment."""

    def __init__(self):
        self._image = None
        self._band = None

    def band(self, node, volume) -> AcquiredBand:
        """Return the band that was acquired.

        Args:
            node: the volume node that ``volume`` was made of.
        """
        image = (node.GetID(), node.GetImageData().GetMTime(), volume.ijk_to_ras.tobytes())
        if image != self._image:
            self._image, self._band = image, detect_acquired_band(volume, slice_axis(volume))
        return self._band

    def text(self, node, volume, asStored: bool) -> str:
        """Return such as ``Stored at 0.45 mm, acquired at 0.9 mm; upscaled from the acquired band.``, or nothing.

        Args:
            asStored: whether the user wants the scan left as it is.
        """
        band = self.band(node, volume)
        return band.sentence(asStored) if band.zero_filled else ""
