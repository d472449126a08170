from __future__ import annotations

import logging
from pathlib import Path

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.models.bundles import BUNDLES, Model, choose_model, read_model

from .Purpose import Purpose


class ModelCatalog:
    """The installed models, as the panel lists them."""

    def __init__(self, bundles: Path = BUNDLES):
        self._bundles = bundles

    def models(self, purpose: Purpose) -> list[Model]:
        """Return the models that can be chosen for a purpose, by name; a folder that is none is logged and left out."""
        if purpose is Purpose.FUSION:
            return []
        found = []
        for path in sorted(self._bundles.glob("*/configs/metadata.json")):
            try:
                found.append(read_model(path.parent.parent))
            except InputError as error:
                logging.warning("%s", error)
        if purpose is Purpose.ISOTROPIC:
            return [model for model in found if model.through_slices]
        return [model for model in found if not model.through_slices and purpose.factor in (None, model.factor)]

    def describe(self, model: Model) -> str:
        """Return in plain words what a model is for: ``for MRI, pixels 4 times finer; small and fast``."""
        scans = {"MR": "MRI"}.get(model.modality, model.modality)
        if model.through_slices:
            return f"for {scans}, new slices between thick ones, up to {model.factor} times as many"
        speed = "small and fast" if model.quality == "fast" else "nearer to the truth, and about four times slower"
        return f"for {scans}, pixels {model.factor} times finer; {speed}"

    def chosen(self, purpose: Purpose, name: str, quality: str) -> Model | None:
        """Return the named model; for "" the one that the engine takes for this quality; None where that is open."""
        models = self.models(purpose)
        if name:
            return next((model for model in models if model.name == name), None)
        if purpose is Purpose.ISOTROPIC:
            return models[0] if models else None
        return choose_model(purpose.factor, quality, models) if models and purpose.factor else None
