"""SuperResolution's engine: finer medical volumes from coarse ones, without Slicer.

    from SuperResolutionLib import UpscaleRequest, read_volume, upscale, write_volume

    result = upscale(read_volume("t1.nii.gz"), UpscaleRequest(factor=2))
    write_volume(result.volume, "t1_x2.nrrd")

Each name is loaded when it is first used, so that ``import SuperResolutionLib`` costs nothing at Slicer's start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .acquisition.survey import survey
    from .errors import InputError
    from .files.reading import read_volume
    from .files.writing import write_volume
    from .fusion.fuse import fuse
    from .fusion.request import FuseRequest
    from .geometry.volume import Volume
    from .upscaling.request import UpscaleRequest
    from .upscaling.upscale import upscale

__all__ = [
    "FuseRequest",
    "InputError",
    "UpscaleRequest",
    "Volume",
    "fuse",
    "read_volume",
    "survey",
    "upscale",
    "write_volume",
]

_HOMES = {
    "FuseRequest": "fusion.request",
    "InputError": "errors",
    "UpscaleRequest": "upscaling.request",
    "Volume": "geometry.volume",
    "fuse": "fusion.fuse",
    "read_volume": "files.reading",
    "survey": "acquisition.survey",
    "upscale": "upscaling.upscale",
    "write_volume": "files.writing",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
