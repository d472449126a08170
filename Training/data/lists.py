"""Data lists: which volumes train and validate, in which of their planes the content is sharp.

A data list is JSON: ``{"group_weights": {contrast: share}, "training": [{"image": file, "group": contrast,
"slice_axes": "k", "every": 1, "no_signal": 0}, ...], "validation": [...]}``. Slices are cut across each of
``slice_axes``, and every ``every``-th is kept. ``no_signal`` is the voxel value of no signal: 0 (the default) in MRI,
-1000 HU in CT. A list with ``"extends": file`` (beside it) adds its groups and volumes to those of that list.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def read_data_list(path: os.PathLike | str) -> dict:
    """Return "group_weights", "training" and "validation", with those of the list that it extends."""
    path = Path(path)
    listing = json.loads(path.read_text(encoding="utf-8"))
    if "extends" not in listing:
        return listing
    base = read_data_list(path.parent / listing["extends"])
    return {
        "group_weights": {**base["group_weights"], **listing["group_weights"]},
        **{section: base[section] + listing.get(section, []) for section in ("training", "validation")},
    }
