from __future__ import annotations

import logging
from pathlib import Path

from SuperResolutionLib.bundles import BUNDLES, Model, choose_model, read_model
from SuperResolutionLib.errors import InputError


class ModelCatalog:
    """The installed models, as the panel lists them."""

    def __init__(self, bundles: Path = BUNDLES):
        self._bundles = bundles

    def models(self, factor: int | None) -> list[Model]:
        """Return the models of a factor, None for all, by name; a folder that is no model is logged and left out."""
        found = []
        for path in sorted(self._bundles.glob("*/configs/metadata.json")):
            try:
                found.append(read_model(path.parent.parent))
            except InputError as error:
                logging.warning("%s", error)
        return [model for model in found if factor in (None, model.factor)]

    def chosen(self, factor: int | None, name: str, quality: str) -> Model | None:
        """Return the named model; for "" the one that the engine takes for this quality; None where that is open."""
        models = self.models(factor)
        if name:
            return next((model for model in models if model.name == name), None)
        return choose_model(factor, quality, models) if models and factor else None
