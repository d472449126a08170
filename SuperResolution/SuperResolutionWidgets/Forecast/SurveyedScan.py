from __future__ import annotations

from SuperResolutionLib.acquisition.survey import Survey, survey


class SurveyedScan:
    """Remembers the survey of the newest scan that was asked about: an image is looked at once, as that takes time."""

    def __init__(self):
        self._image = None
        self._survey = None

    def survey(self, node, volume) -> Survey:
        """Return what the scan is.

        Args:
            node: the volume node that ``volume`` was made of.
        """
        image = (
            node.GetID(),
            node.GetImageData().GetMTime(),
            volume.ijk_to_ras.tobytes(),
            volume.modality,
            volume.slice_thickness,
            volume.slice_axis,
            volume.acquired_shares,
        )
        if image != self._image:
            self._image, self._survey = image, survey(volume)
        return self._survey

    def forget(self) -> None:
        """Let go of the scan, whose voxels the survey shares."""
        self._image = self._survey = None

    def note(self, node, volume, asStored: bool) -> str:
        """Return such as ``Stored at 0.45 mm, acquired at 0.9 mm; upscaled from the acquired band.``, or nothing.

        Args:
            asStored: whether the user wants the scan left as it is.
        """
        band = self.survey(node, volume).band
        return band.sentence(asStored) if band.zero_filled else ""
