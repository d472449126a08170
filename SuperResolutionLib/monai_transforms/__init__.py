"""The engine for MONAI: a transform for any ``Compose``, inferers, and what the model bundles' inference.json names.

    from SuperResolutionLib.monai_transforms import Upscaled

Importing it imports MONAI, which nothing else in the engine does.
"""

from .bundle import ScanFolder, load_network
from .inferers import SlicePlaneInferer, UpscaleInferer
from .upscaled import Upscale, Upscaled
from .volume_files import VolumeReader, VolumeWriter

__all__ = [
    "ScanFolder",
    "SlicePlaneInferer",
    "Upscale",
    "UpscaleInferer",
    "Upscaled",
    "VolumeReader",
    "VolumeWriter",
    "load_network",
]
