"""A synthetic volume on disk, and a data list and configuration small enough to train in a second."""

import json

import numpy as np
import pytest

from SuperResolutionLib.volume import Volume
from SuperResolutionLib.volume_files import write_volume

DEGRADATION = {"shares": {"bicubic": 0.3, "area": 0.3, "kspace": 0.4}, "noisy_share": 0.5, "largest_noise": 0.04}


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with two volumes and ``datalist.json`` and ``config.json``."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    k, j, i = np.indices((6, 48, 52), dtype=float)
    for name, shift in (("first", 0), ("second", 5)):
        inside = ((j - 24) / 22) ** 2 + ((i - 26) / 24) ** 2 < 1
        voxels = inside * (400 + 200 * np.sin(i / (2 + shift) + k) * np.cos(j / 3)) + 50 * random.random(k.shape)
        write_volume(Volume(voxels.astype(np.int16), np.diag([1, 1, 3, 1.0])), folder / f"{name}.nii.gz")
    entries = [
        {"image": "first.nii.gz", "group": "T1", "slice_axes": "k", "every": 1},
        {"image": "second.nii.gz", "group": "T2", "slice_axes": "k", "every": 2},
    ]
    listing = {"group_weights": {"T1": 0.7, "T2": 0.3}, "training": entries, "validation": entries[:1]}
    (folder / "datalist.json").write_text(json.dumps(listing))
    config = {
        "network": {"name": "CompactNet", "arguments": {"width": 4, "blocks": 1}},
        "degradation": DEGRADATION,
        "loss": [{"until": 0.5, "l1": 1.0}, {"until": 1.0, "mse": 10.0}],
        "optimiser": {"learning_rate": 5e-3, "final_learning_rate": 1e-5, "warm_up": 3, "average_decay": 0.9},
        "patches": {"2": {"coarse_size": 10, "batch": 2}, "4": {"coarse_size": 6, "batch": 2}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder
