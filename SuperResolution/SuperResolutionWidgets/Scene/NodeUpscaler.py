from __future__ import annotations

import importlib

from SuperResolutionLib.errors import InputError

from .EngineCall import EngineCall
from .ResultPlacement import ResultPlacement
from .VolumeNodes import volumeFromNode


def importEngine(part: str = "upscaling.upscale"):
    """Return a module of ``SuperResolutionLib``.

    Raises:
        InputError: PyTorch or another package that the engine needs is not installed.
    """
    try:
        return importlib.import_module(f"SuperResolutionLib.{part}")
    except (ImportError, OSError, AttributeError) as error:
        # OSError and AttributeError are what a half-installed PyTorch raises.
        raise InputError(
            f"A Python package that upscaling needs does not load ({error}); run SuperResolutionLogic().install() once."
        ) from error


def runEngine(volume, options: dict, progress, cancelled):
    """Run the engine on a Volume; ``options`` are the fields of ``UpscaleRequest``.

    Raises:
        InputError: also where PyTorch or another package that the engine needs is not installed.
    """
    engine = importEngine()
    return engine.upscale(volume, engine.UpscaleRequest(**options), progress=progress, cancelled=cancelled)


class NodeUpscaler:
    """Upscales a volume node in this process and places the result in the scene."""

    def __init__(self, engine=runEngine, placement=None):
        self._engine = engine
        self._placement = placement or ResultPlacement()

    def upscale(self, inputNode, factor=4, outputNode=None, show=True, **asked):
        """Return the volume node that holds ``inputNode`` upscaled; see ``SuperResolutionLogic.upscale``."""
        call = EngineCall(factor, **asked)
        self._placement.checkInputNode(inputNode)
        volume = volumeFromNode(inputNode)
        self._placement.checkOutputNode(outputNode, inputNode)
        result = self._engine(volume, call.fieldsFor(inputNode, volume), call.progress, call.cancelled)
        name = self._placement.nameFor(inputNode, **call.gridFields)
        return self._placement.place(result.volume, result.report, inputNode, name, outputNode, show)
