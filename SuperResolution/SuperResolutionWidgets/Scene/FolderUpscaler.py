from __future__ import annotations

from .NodeUpscaler import importEngine


class FolderUpscaler:
    """Upscales the files of a folder in this process."""

    def upscale(
        self,
        inputFolder,
        outputFolder,
        factor=4,
        resume=False,
        progress=None,
        finished=None,
        cancelled=None,
        asStored=False,
        **options,
    ):
        """Return the outcome of each volume; see ``SuperResolutionLogic.upscaleFolder``."""
        request = importEngine().UpscaleRequest(factor=factor, as_stored=asStored, **options)
        from SuperResolutionLib.cohort.folder import upscale_folder

        return upscale_folder(
            inputFolder,
            outputFolder,
            request,
            resume=resume,
            progress=progress or (lambda done, total, message: None),
            finished=finished or (lambda number, total, outcome: None),
            cancelled=cancelled or (lambda: False),
        )
