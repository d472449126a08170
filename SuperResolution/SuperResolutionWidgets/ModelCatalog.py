from __future__ import annotations

import importlib.util
import json
import logging
from pathlib import Path

from .ModelEntry import ModelEntry


class ModelCatalog:
    """The installed models, read from their descriptions without the engine's heavy imports."""

    def __init__(self, bundles: Path | None = None):
        engine = importlib.util.find_spec("SuperResolutionLib").origin
        self._bundles = bundles or Path(engine).parent / "Bundles"

    def models(self, factor: int) -> list[ModelEntry]:
        """Return the models of a factor, by name. A folder that is no model is left out, and the log says so."""
        found = []
        for path in sorted(self._bundles.glob("*/configs/metadata.json")):
            try:
                found.append(self._read(path))
            except (OSError, ValueError, KeyError, TypeError):
                logging.warning("Not a super-resolution model: %s", path.parent.parent)
        return [model for model in found if model.factor == factor]

    def chosen(self, factor: int, name: str, quality: str) -> ModelEntry | None:
        """Return the named model; for "" the one that the engine takes for this quality; None where there is none."""
        models = self.models(factor)
        if name:
            return next((model for model in models if model.name == name), None)
        wanted = "fast" if quality == "fast" else "standard"
        return min(models, key=lambda model: (model.quality != wanted, model.name), default=None)

    def _read(self, path: Path) -> ModelEntry:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        block = metadata["super_resolution"]
        return ModelEntry(
            name=path.parent.parent.name,
            description=str(metadata["description"]),
            factor=int(block["factor"]),
            quality=str(block["quality"]),
            hasDetail={"fidelity", "perceptual"} <= set(block["weights"]),
            defaultDetail=float(block["default_detail"]),
        )
