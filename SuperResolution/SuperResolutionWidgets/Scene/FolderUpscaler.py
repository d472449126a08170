from __future__ import annotations

from .EngineCall import EngineCall
from .NodeUpscaler import importEngine


class FolderUpscaler:
    """Upscales the files of a folder in this process."""

    def upscale(self, inputFolder, outputFolder, call: EngineCall, resume: bool, finished):
        """Return the outcome of each volume; see ``SuperResolutionLogic.upscaleFolder``."""
        request = importEngine().UpscaleRequest(**call.fields)
        from SuperResolutionLib.cohort.folder import upscale_folder

        return upscale_folder(
            inputFolder,
            outputFolder,
            request,
            resume=resume,
            progress=call.progress,
            finished=finished or (lambda number, total, outcome: None),
            cancelled=call.cancelled,
        )
