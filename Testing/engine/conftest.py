"""Analytic volumes and tiny model folders for the engine's tests."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, settings

from SuperResolutionLib.networks import NETWORKS
from SuperResolutionLib.volume import Volume

settings.register_profile(
    "seeded",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("seeded")


def _make_phantom(shape=(5, 40, 44), dtype=np.int16, matrix=None, noise=0.0, air=0.0) -> Volume:
    """Ellipses, bars and a blob in air, ``(k, j, i)`` of ``shape``, from 0 to about 1000 above ``air``."""
    k, j, i = np.indices(shape, dtype=float)
    y, x = (j + 0.5) / shape[1] - 0.5, (i + 0.5) / shape[2] - 0.5
    head = 1 / (1 + np.exp(((x / 0.38) ** 2 + (y / 0.4) ** 2 - 1) * 12))
    tissue = 0.6 + 0.15 * np.sin(25 * x + k) * np.cos(18 * y) + 0.25 * ((x - 0.1) ** 2 + y**2 < 0.02)
    voxels = air + 1000 * head * tissue
    voxels[head < 0.01] = air
    if noise:
        voxels = voxels + np.random.default_rng(1).normal(0, noise, shape)
    if np.dtype(dtype).kind in "iu":
        voxels = np.clip(np.rint(voxels), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return Volume(voxels.astype(dtype), np.diag([1.0, 1.0, 3.0, 1.0]) if matrix is None else matrix, "MR")


@pytest.fixture(scope="session")
def make_phantom():
    """The function ``make_phantom(shape, dtype, matrix, noise, air)``."""
    return _make_phantom


@pytest.fixture(scope="session")
def phantom() -> Volume:
    """Five slices of 44 x 40 voxels of 1 x 1 x 3 mm in air that is exactly 0, int16."""
    return _make_phantom()


@pytest.fixture(scope="session")
def oblique_phantom() -> Volume:
    """The phantom on a turned, left-handed grid far from the origin."""
    a, b = 0.3, -0.4
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ tilt @ np.diag([-0.9, 0.9, 3.2])
    matrix[:3, 3] = [61.5, -88.25, 40.125]
    return _make_phantom(matrix=matrix)


@pytest.fixture
def write_bundle(tmp_path):
    """The function that writes a model folder with random or given weights and returns its path."""

    def write(name="tiny", factor=2, network="CompactNet", arguments=None, weights=("fidelity",), **changes):
        """``weights``: kinds to fill at random, or a dictionary of kind to state dict. ``changes``: block keys."""
        folder = tmp_path / name
        arguments = {"width": 4, "blocks": 1} if arguments is None else arguments
        (folder / "configs").mkdir(parents=True)
        (folder / "models").mkdir()
        entries = {}
        for seed, kind in enumerate(weights):
            if isinstance(weights, dict):
                state = weights[kind]
            else:
                torch.manual_seed(seed)
                state = NETWORKS[network](factor=factor, **arguments).state_dict()
            content = safetensors.torch.save({key: value.contiguous() for key, value in state.items()})
            (folder / "models" / f"{kind}.safetensors").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            entries[kind] = {"file": f"models/{kind}.safetensors", "sha256": digest}
        block = {
            "axes": "slice plane",
            "factor": factor,
            "modality": "MR",
            "quality": "fast",
            "network": {"name": network, "arguments": arguments},
            "default_detail": 0.0,
            "acquisition": {"held_band": 0.25},
            "weights": entries,
            **changes,
        }
        metadata = {"description": "A tiny model for tests", "super_resolution": block}
        (folder / "configs" / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def single_precision(monkeypatch):
    """Keep ``upscale`` in float32, whatever this CPU runs fastest."""
    monkeypatch.setattr("SuperResolutionLib.upscaling.fastest_precision", lambda device: torch.float32)
