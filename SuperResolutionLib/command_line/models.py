"""``superresolution models``: what is installed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from .exit_codes import DONE
from .progress import NoProgress

if TYPE_CHECKING:
    from ..models.bundles import Model


def add_to(commands: argparse._SubParsersAction) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser("models", help="list the installed models")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: NoProgress, stop: Callable[[], bool]) -> int:
    """List the models and return the exit code."""
    from ..models.bundles import installed_models

    models = installed_models()
    if options.json:
        print(json.dumps([_describe(model) for model in models], indent=2))
        return DONE
    for model in models:
        print(f"{model.name}: {model.description} ({model.quality}, {', '.join(model.weights)})")
    return DONE


def _describe(model: Model) -> dict:
    return {
        "name": model.name,
        "description": model.description,
        "folder": str(model.folder),
        "factor": model.factor,
        "modality": model.modality,
        "quality": model.quality,
        "default_detail": model.default_detail,
        "weights": {kind: digest for kind, (_, digest) in model.weights.items()},
    }
