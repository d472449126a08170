from __future__ import annotations

import logging
from pathlib import Path

from SuperResolutionLib.bundles import BUNDLES, Model, choose_model, read_model
from SuperResolutionLib.errors import InputError


class ModelCatalog:
    """The installed models, as the panel lists them."""

    def __init__(self, bundles: Path = BUNDLES):
        self._bundles = bundles

    def models(self, factor: int) -> list[Model]:
        """Return the models of a factor, by name. A folder that is no model is left out, and the log says so."""
        found = []
        for path in sorted(self._bundles.glob("*/configs/metadata.json")):
            try:
                found.append(read_model(path.parent.parent))
            except InputError as error:
                logging.warning("%s", error)
        return [model for model in found if model.factor == factor]

    def chosen(self, factor: int, name: str, quality: str) -> Model | None:
        """Return the named model; for "" the one that the engine takes for this quality; None where there is none."""
        models = self.models(factor)
        if name:
            return next((model for model in models if model.name == name), None)
        return choose_model(factor, quality, models) if models else None
