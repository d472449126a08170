from __future__ import annotations

from .VolumeNodes import boxFromRoi


class EngineCall:
    """What the console asks of the engine, who follows the work, and who may stop it.

    Args:
        factor, asStored: as of ``SuperResolutionLogic.upscale``.
        progress: called as ``progress(done, total, message)``, or None.
        cancelled: returns True to stop, or None.
        options: other fields of ``UpscaleRequest``; ``region`` may be a markups ROI node, too.

    Attributes:
        fields: of ``UpscaleRequest``.
        gridFields: those that decide the output grid, by which ``ResultPlacement.nameFor`` names a result.
    """

    def __init__(self, factor=4, progress=None, cancelled=None, asStored=False, **options):
        self.fields = {"factor": factor, "as_stored": asStored, **options}
        self.gridFields = {key: self.fields[key] for key in ("factor", "spacing", "isotropic") if key in self.fields}
        self.progress = progress or (lambda done, total, message: None)
        self.cancelled = cancelled or (lambda: False)

    def fieldsFor(self, node, volume) -> dict:
        """Return ``fields`` with an ROI as a box of the voxels of ``volume``, which lies where ``node`` does."""
        region = self.fields.get("region")
        if hasattr(region, "GetObjectBounds"):
            return {**self.fields, "region": None, "box": boxFromRoi(region, node, volume)}
        return self.fields
