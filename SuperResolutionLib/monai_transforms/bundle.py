"""What the model bundles' ``configs/inference.json`` names, beside the reader, the inferer and the writer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from monai.data import FolderLayoutBase

from ..cohort.finding import find_volumes
from ..errors import InputError
from ..models.bundles import find_model
from ..models.networks import Network


def load_network(model: os.PathLike | str, detail: float | None = None) -> Network:
    """Return a model's network in evaluation mode, its weights interpolated by ``detail``; see ``Model.load``.

    Args:
        model: an installed name or a folder. detail: 0 (fidelity) to 1 (perceptual); None takes the model's default.

    Raises:
        InputError: no such model, or its weights are not what it says.
    """
    found = find_model(str(model))
    return found.load(found.default_detail if detail is None else float(detail))


class ScanFolder(FolderLayoutBase):
    """The volumes below a folder, and where their results go: found and named as ``superresolution batch`` does.

    Args:
        input_dir, output_dir: see ``find_volumes``.

    Attributes:
        items: ``{"image": path}`` of each volume, for a ``Dataset``.

    Raises:
        InputError: as ``find_volumes``, or a folder holds several DICOM series.
    """

    def __init__(self, input_dir: os.PathLike | str, output_dir: os.PathLike | str):
        volumes = find_volumes(str(input_dir), str(output_dir))
        for volume in volumes:
            if volume.series is not None:
                raise InputError(
                    f"The folder {volume.source} holds several DICOM series; give each a folder of its own, or use"
                    " superresolution batch."
                )
        self.items = [{"image": str(volume.source)} for volume in volumes]
        self._outputs = {str(volume.source): volume.output for volume in volumes}

    def filename(self, subject: str, **kwargs: Any) -> Path:  # type: ignore[override]
        """Return where the result of the volume at the path ``subject`` goes, and make the folder."""
        output = self._outputs[subject]
        output.parent.mkdir(parents=True, exist_ok=True)
        return output
