"""The engine as a transform: ``Upscale`` for an image, ``Upscaled`` for images in a dictionary."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor, get_track_meta
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_tensor

from ..upscaling.request import UpscaleRequest
from ..upscaling.upscale import upscale
from .meta_tensors import image_of, volume_of

REPORT = "super_resolution"
"""The key of the meta data for ``upscale``'s report, as JSON, which survives MONAI's collation."""


def upscale_image(image: NdarrayOrTensor, request: UpscaleRequest) -> tuple[MetaTensor, MetaTensor | None]:
    """Return the finer image, with the report in its meta data, and its expected error where ``request.error`` asks.

    Args:
        image: see ``volume_of``; voxels of 1 mm where it is no MetaTensor.

    Raises:
        InputError: as ``upscale`` and ``volume_of`` do.
    """
    if not isinstance(image, MetaTensor):
        image = MetaTensor(convert_to_tensor(image))
    with torch.inference_mode(False):  # adapting to the scan trains a network, also within a caller's no_grad
        result = upscale(volume_of(image), request)
    finer = image_of(result.volume, image)
    finer.meta[REPORT] = json.dumps(result.report)
    return finer, None if result.error is None else image_of(result.error, image)


class Upscale(Transform):
    """Upscale an image as ``superresolution upscale`` does, geometry and all.

    Args:
        factor: see ``UpscaleRequest``; None takes the model's, or x4, where neither spacing nor isotropic decides.
        options: the other fields of ``UpscaleRequest``.

    Raises:
        TypeError: an option that there is not.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(self, factor: int | tuple[int, int, int] | None = None, **options: Any):
        self.request = UpscaleRequest(factor=factor, **options)

    def __call__(self, img: NdarrayOrTensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Return the finer image in the image's scalar type; with ``error=True`` also its expected error.

        Integers are rounded and clamped, so load with ``LoadImage(dtype=None)``, which keeps the file's type, where the
        result is to have it; MONAI's default makes everything float32. ``meta["affine"]``, ``["original_affine"]`` and
        ``["spatial_shape"]`` are the result's, ``meta["super_resolution"]`` is the report, as JSON.

        Args:
            img: ``(1, i, j, k)``, ``(1, i, j)``, or as loaded, without the channel; see ``volume_of``.

        Raises:
            InputError: the image or the request cannot be served; within ``Compose`` MONAI wraps it.
        """
        finer, error = upscale_image(img, self.request)
        if error is None:
            return _tracked(finer)
        return _tracked(finer), _tracked(error)


def _tracked(image: MetaTensor) -> torch.Tensor:
    return image if get_track_meta() else image.as_tensor()


class Upscaled(MapTransform):
    """``Upscale`` for images in a dictionary.

    Args:
        keys: of the images. allow_missing_keys: whether one may be missing.
        factor, options: as of ``Upscale``. With ``error=True`` the dictionary gets the expected error of ``KEY``
            as ``KEY_error``.
    """

    backend = Upscale.backend

    def __init__(
        self,
        keys: KeysCollection,
        factor: int | tuple[int, int, int] | None = None,
        allow_missing_keys: bool = False,
        **options: Any,
    ):
        super().__init__(keys, allow_missing_keys)
        self.upscale = Upscale(factor, **options)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        """Return ``data`` with its images upscaled; see ``Upscale``."""
        data = dict(data)
        for key in self.key_iterator(data):
            result = self.upscale(data[key])
            if isinstance(result, tuple):
                data[key], data[f"{key}_error"] = result
            else:
                data[key] = result
        return data
