"""MONAI's reader and writer of volumes by the engine's own file code: exact matrices, the file's scalar type, DICOM."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import ImageReader, ImageWriter, MetaTensor
from monai.utils import SpaceKeys, convert_to_tensor, ensure_tuple, get_equivalent_dtype
from monai.utils.enums import MetaKeys

from ..errors import InputError
from ..files.reading import read_volume
from ..files.whole_outputs import write_text
from ..files.writing import write_volume
from ..geometry.intensity import as_scalar_type
from .meta_tensors import SCAN, scan_text, volume_of
from .upscaled import REPORT


class VolumeReader(ImageReader):
    """Reads what ``superresolution upscale`` reads, also a folder that holds one DICOM series.

    For ``LoadImage(reader=VolumeReader, dtype=None)``. The affine leads to RAS mm.
    """

    def verify_suffix(self, filename: Sequence[os.PathLike | str] | os.PathLike | str) -> bool:
        """Return True: what is no volume is refused in ``get_data``, in a sentence."""
        return True

    def read(self, data: Sequence[os.PathLike | str] | os.PathLike | str, **kwargs: Any) -> tuple:
        """Return the paths. Files are read in ``get_data``: on an error here MONAI would try its other readers."""
        return ensure_tuple(data)

    def get_data(self, img: tuple) -> tuple[np.ndarray, dict]:
        """Return the voxels ``(i, j, k)`` of the one file or folder in its scalar type, and the meta data.

        Raises:
            InputError: several files, or as ``read_volume``.
        """
        if len(img) != 1:
            raise InputError(f"{len(img)} files were given for one image; give one, or a folder of a DICOM series.")
        volume = read_volume(img[0])
        meta = {
            MetaKeys.AFFINE: volume.ijk_to_ras.copy(),
            MetaKeys.ORIGINAL_AFFINE: volume.ijk_to_ras.copy(),
            MetaKeys.SPATIAL_SHAPE: np.array(volume.dimensions),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            SCAN: scan_text(volume),
        }
        return np.array(volume.voxels.T, order="C"), meta


class VolumeWriter(ImageWriter):
    """Writes .nrrd, .nii.gz, .nii or .mha, whole or not at all, and beside an upscaled NAME its report, NAME.json.

    For ``SaveImage(writer=VolumeWriter, output_dtype=None)``; to another ``output_dtype`` it rounds and clamps.

    Raises:
        InputError: as ``volume_of`` and ``write_volume`` do, or ``resample`` or ``scale`` was asked for.
    """

    def __init__(self, output_dtype: np.dtype | type | None = None, scale: int | None = None, **kwargs: Any):
        # MONAI's own has no types, and mypy's list of such libraries does not reach super().
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        if scale is not None:
            raise InputError("VolumeWriter keeps the image's values; leave out scale.")
        self.output_dtype = output_dtype
        self.report: str | None = None

    def set_data_array(self, data_array: MetaTensor, channel_dim: int | None = 0, **kwargs: Any) -> None:
        """Take an image as of ``volume_of``; its meta data, not ``channel_dim``, says whether there is a channel."""
        self.image = data_array

    def set_metadata(self, meta_dict: Mapping | None, resample: bool = False, **options: Any) -> None:
        """Take the meta data that the image came with."""
        if resample:
            raise InputError("VolumeWriter keeps the image's grid; leave out resample.")
        image = MetaTensor(convert_to_tensor(self.image, track_meta=False), meta=dict(meta_dict or {}))
        self.report = image.meta.get(REPORT)
        volume = volume_of(image)
        if self.output_dtype is not None:
            dtype = get_equivalent_dtype(self.output_dtype, np.ndarray)
            volume = replace(volume, voxels=as_scalar_type(volume.voxels, dtype))
        self.volume = volume

    def write(self, filename: os.PathLike | str, verbose: bool = True, **kwargs: Any) -> None:
        """Write the file. An old report is removed first: none may lie beside a volume that it does not describe."""
        super().write(filename, verbose=verbose)
        report_file = Path(f"{filename}.json")
        if self.report is not None:
            report_file.unlink(missing_ok=True)
        write_volume(self.volume, filename)
        if self.report is not None:
            write_text(report_file, self.report + "\n")
