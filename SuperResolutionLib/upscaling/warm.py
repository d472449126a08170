"""An engine that stays warm: what took time to find of the newest scan, and the networks, serve the next run too."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..acquisition.survey import Survey, survey
from ..files.reading import read_volume
from ..geometry.volume import Volume
from ..models.bundles import Model
from .plan import plan
from .request import UpscaleRequest
from .upscale import UpscaleResult, carry_out

if TYPE_CHECKING:
    from ..models.networks.network import Network

NETWORKS = 4
"""Most networks that are kept."""


class WarmEngine:
    """Reads and upscales as ``read_volume`` and ``upscale`` do, and keeps the newest scan, its survey and networks.

    A file that was written anew is read anew; a folder is read each time.
    """

    def __init__(self) -> None:
        self._file: tuple = ()
        self._volume: Volume | None = None
        self._surveys: dict[tuple, Survey] = {}
        self._networks: dict[tuple, Network] = {}

    def read(self, source: os.PathLike | str, series: str | None = None, echo: int | None = None) -> Volume:
        """Return the volume, the same object as before where the file is the same. Arguments are ``read_volume``'s.

        Raises:
            InputError: as ``read_volume``.
        """
        file = (*_state(Path(source)), series, echo)
        if self._volume is None or file != self._file or Path(source).is_dir():
            self.forget()
            self._volume = read_volume(source, series, echo)
            self._file = file
        return self._volume

    def upscale(
        self,
        volume: Volume,
        request: UpscaleRequest | None = None,
        progress: Callable[[int, int, str], None] = lambda done, total, message: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> UpscaleResult:
        """Return the volume upscaled. Arguments and errors are those of ``upscale``."""
        request = request or UpscaleRequest()
        return carry_out(plan(self._surveyed(volume, request), request), progress, cancelled, self._load)

    def _surveyed(self, volume: Volume, request: UpscaleRequest) -> Survey:
        if volume is not self._volume:
            return survey(volume, request.named_axis, request.acquired)
        asked = (request.named_axis, request.acquired)
        if asked not in self._surveys:
            self._surveys[asked] = survey(volume, *asked)
        return self._surveys[asked]

    def _load(self, model: Model, detail: float) -> Network:
        weights = (model.folder, model.digest(detail), detail)
        network = self._networks.pop(weights, None) or model.load(detail)
        self._networks[weights] = network
        while len(self._networks) > NETWORKS:
            del self._networks[next(iter(self._networks))]
        return network

    def forget(self) -> None:
        """Let go of the scan and of all that was found of it."""
        self._volume, self._file = None, ()
        self._surveys.clear()

    @staticmethod
    def free() -> None:
        """Give the memory of the last run back to the system."""
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def _state(path: Path) -> tuple:
    """Return what differs once a file was written anew; nothing of one that is not there, which reading will tell."""
    try:
        state = path.stat()
    except OSError:
        return (str(path),)
    return str(path.resolve()), state.st_size, state.st_mtime_ns
