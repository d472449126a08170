"""Analytic volumes and tiny model folders for the engine's tests."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, settings

from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.networks import NETWORKS
from SuperResolutionLib.models.networks.error_head import new_error_head
from SuperResolutionLib.models.precision import Choice

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


@pytest.fixture(scope="session")
def planes() -> dict[str, Volume]:
    """A sagittal, a transverse and a coronal stack of a ball of 24 mm, slices of 4 mm, in their places."""
    stacks = {}
    for name, order in {"sag": (1, 2, 0), "tra": (0, 1, 2), "cor": (0, 2, 1)}.items():
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for axis, (world, step) in enumerate(zip(order, (1, 1, 4))):
            matrix[world, axis], matrix[world, 3] = step, step / 2
        places = np.stack(np.indices((6, 24, 24))[::-1], axis=-1) @ matrix[:3, :3].T + matrix[:3, 3]
        ball = 1 / (1 + np.exp(np.linalg.norm(places - 12, axis=-1) - 8))
        voxels = 100 + 600 * ball * (1 + 0.3 * np.sin(places).sum(axis=-1))
        stacks[name] = Volume(voxels.astype(np.int16), matrix, "MR", 4.0, 2)
    return stacks


@pytest.fixture(scope="session")
def anatomy() -> np.ndarray:
    """Four sharp slices ``(4, 176, 160)`` from 0 to about 1000: 100 ellipses in a head, drawn finer and averaged."""
    random = np.random.default_rng(7)
    y, x = (np.linspace(-1, 1, 2 * size, dtype=np.float32) for size in (176, 160))
    slices = []
    for _ in range(4):
        head = (x / 0.85) ** 2 + (y[:, None] / 0.9) ** 2 < 1
        image = 400 * head.astype(np.float32)
        for _ in range(100):
            (cx, cy), (rx, ry) = random.uniform(-0.8, 0.8, 2), random.uniform(0.01, 0.2, 2)
            image += random.normal(0, 90) * (((x - cx) / rx) ** 2 + ((y[:, None] - cy) / ry) ** 2 < 1) * head
        slices.append(np.abs(image).reshape(176, 2, 160, 2).mean(axis=(1, 3)))
    return np.stack(slices)


def _scanned(slices: np.ndarray, noise: float) -> np.ndarray:
    random = np.random.default_rng(3)
    return slices + 1000 * noise * (random.normal(size=slices.shape) + 1j * random.normal(size=slices.shape))


@pytest.fixture(scope="session")
def scanned():
    """The function that returns ``(N, H, W)`` slices as int16 magnitudes with complex noise of SD 1000 ``noise``."""
    return lambda slices, noise: np.rint(np.abs(_scanned(slices, noise))).astype(np.int16)


@pytest.fixture(scope="session")
def zero_filled():
    """The function that acquires the central ``shares`` (rows, columns) of k-space and fills the rest with zeros.

    ``zero_filled(slices, shares, noise, taper)`` returns int16 magnitudes on the grid of ``slices``; ``taper`` is the
    outer part of the band over which a cosine takes k-space to zero.
    """

    def fill(slices, shares, noise=0.0, taper=0.0):
        spectrum = np.fft.fft2(_scanned(slices, noise))
        for axis, share in zip((1, 2), shares):
            size = slices.shape[axis]
            radius = np.abs(np.fft.fftfreq(size, 1 / size)) / (round(share * size) / 2)
            window = np.where(radius <= 1, 1.0, 0.0)
            if taper:
                window *= 0.5 + 0.5 * np.cos(np.pi * np.clip((radius - 1 + taper) / taper, 0, 1))
            if share < 1:
                spectrum *= window[:, None] if axis == 1 else window
        return np.rint(np.abs(np.fft.ifft2(spectrum))).astype(np.int16)

    return fill


@pytest.fixture
def write_bundle(tmp_path):
    """The function that writes a model folder with random or given weights and returns its path."""

    def write(name="tiny", factor=2, network="CompactNet", arguments=None, weights=("fidelity",), **changes):
        """``weights``: kinds to fill at random, or a dictionary of kind to state dict. ``changes``: block keys.

        Of the kind "error" is a random error head.
        """
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
                made = NETWORKS[network](factor=factor, **arguments)
                state = (new_error_head(made) if kind == "error" else made).state_dict()
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
    choice = Choice("float32", "float32", "a test wants it")
    monkeypatch.setattr("SuperResolutionLib.models.precision.fastest_precision", lambda network, device: choice)
