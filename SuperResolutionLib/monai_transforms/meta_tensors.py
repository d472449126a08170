"""A MetaTensor as a Volume and back: the order of the axes, the affine, the scalar type, what the file knew.

MONAI's arrays are ``(channel, i, j, k)``, a Volume's voxels ``(k, j, i)``. MONAI's affine leads from ``(i, j, k)`` to
RAS or to LPS mm; ``meta["space"]`` says to which.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.utils import SpaceKeys
from monai.utils.enums import MetaKeys
from monai.utils.type_conversion import dtype_torch_to_numpy

from ..errors import InputError
from ..files.dicom.tags import MODALITY, SLICE_THICKNESS
from ..geometry.volume import LPS_TO_RAS, Volume

SCAN = "super_resolution_scan"
"""The key of the meta data for what a Volume knows beside its voxels and their place, as JSON, which survives MONAI's
collation, where None and tuples do not."""
OF_ANY_GRID = ("modality", "slice_thickness")
"""What stays true of a scan whose axes were turned, cropped or resampled since it was read."""


def volume_of(image: MetaTensor) -> Volume:
    """Return an image as a Volume.

    Args:
        image: ``(1, i, j, k)`` or ``(1, i, j)``; or without the channel, where ``meta["spatial_shape"]`` says that all
            axes are spatial, as it is before ``EnsureChannelFirst``.

    Raises:
        InputError: several channels, more than three spatial axes, not real numbers, or a singular affine.
    """
    array = image.as_tensor().detach().cpu().numpy()
    if _has_channel(image):
        if len(array) != 1:
            raise InputError(
                f"The image has {len(array)} channels; choose one, or put EnsureChannelFirstd first if they are none."
            )
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    matrix = to_affine_nd(3, image.affine).numpy()
    if image.meta.get(MetaKeys.SPACE) == SpaceKeys.LPS:
        matrix = LPS_TO_RAS @ matrix
    return Volume(np.ascontiguousarray(_as_stored(array, image.meta).T), matrix, **_known(image))


def image_of(volume: Volume, like: MetaTensor) -> MetaTensor:
    """Return a Volume as an image with the axes, the space, the type, the device and the meta data of ``like``.

    Real numbers keep the Volume's type. The new grid is the one that ``SaveImage(resample=True)`` would go back to.
    """
    array = volume.voxels.T
    if like.ndim - _has_channel(like) == 2:
        array = array[..., 0]
    shape = array.shape
    if _has_channel(like):
        array = array[None]
    dtype = array.dtype if array.dtype.kind == "f" else dtype_torch_to_numpy(like.dtype)
    matrix = volume.ijk_to_ras
    if like.meta.get(MetaKeys.SPACE) == SpaceKeys.LPS:
        matrix = LPS_TO_RAS @ matrix
    affine = torch.as_tensor(to_affine_nd(like.affine.shape[-1] - 1, matrix))
    meta = {
        **like.meta,
        MetaKeys.AFFINE: affine,
        MetaKeys.ORIGINAL_AFFINE: affine.clone(),
        MetaKeys.SPATIAL_SHAPE: np.array(shape),
        SCAN: scan_text(volume),
    }
    tensor = torch.from_numpy(np.array(array, dtype=dtype, order="C")).to(like.device)
    return MetaTensor(tensor, meta=meta, applied_operations=like.applied_operations)


def scan_text(volume: Volume) -> str:
    """Return the value of ``meta[SCAN]``."""
    known = {field.name: getattr(volume, field.name) for field in fields(volume)}
    known = {name: value for name, value in known.items() if name not in ("voxels", "ijk_to_ras") and value is not None}
    return json.dumps({**known, "scalar_type": str(volume.voxels.dtype)})


def _has_channel(image: MetaTensor) -> bool:
    shape = image.meta.get(MetaKeys.SPATIAL_SHAPE)
    return shape is None or image.ndim > len(shape)


def _known(image: MetaTensor) -> dict:
    """Return what the image's meta data knows of the scan, as a Volume's arguments."""
    meta = image.meta
    if SCAN not in meta:  # MONAI's own readers: ITK's gives the tags of a DICOM file
        return {"modality": meta.get(MODALITY), "slice_thickness": _positive(meta.get(SLICE_THICKNESS))}
    known = {name: tuple(v) if isinstance(v, list) else v for name, v in json.loads(meta[SCAN]).items()}
    del known["scalar_type"]
    shape = image.shape[1:] if _has_channel(image) else image.shape
    as_read = tuple(int(size) for size in meta[MetaKeys.SPATIAL_SHAPE]) == tuple(shape) and np.array_equal(
        meta[MetaKeys.ORIGINAL_AFFINE], image.affine
    )
    return known if as_read else {name: known[name] for name in OF_ANY_GRID if name in known}


def _positive(text: str | None) -> float | None:
    try:
        value = float(text or 0)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _as_stored(array: np.ndarray, meta: dict) -> np.ndarray:
    """Return ``array`` in the file's unsigned type, where MONAI widened it, as it does with all but uint8."""
    stored = np.dtype(json.loads(meta[SCAN])["scalar_type"]) if SCAN in meta else array.dtype
    if stored.kind != "u" or array.dtype.kind != "i":
        return array
    fits = array.min() >= 0 and array.max() <= np.iinfo(stored).max
    return array.astype(stored) if fits else array
