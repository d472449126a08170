"""What of the comparison with peers needs no network: layers, 8 bits, unpacking, the table."""

import base64
import hashlib
import io
import json
import re
import tarfile
import urllib.request

import numpy as np
import pytest
import torch

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.evaluation.truths import choose_slices, degrade
from SuperResolutionLib.geometry.volume import Volume
from Testing.benchmark.peers.installing import PACKAGES, NpmPackage, upscalerjs_folder
from Testing.benchmark.peers.methods import in_eight_bits
from Testing.benchmark.peers.table import COLUMNS, markdown_table
from Testing.benchmark.peers.upscalerjs import LayerGraph, UpscalerJS, depth_to_space

# ---------------------------------------------------------------- layers


def layer(kind, name, *inputs, **config):
    nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def convolution(name, source, **config):
    usual = {"strides": [1, 1], "padding": "same", "activation": "linear", "use_bias": True}
    return layer("Conv2D", name, source, **{**usual, **config})


@pytest.fixture
def model(tmp_path):
    """The function that writes a model of these layers and weights, in shards of 100 bytes, and returns its folder."""

    def write(layers, weights):
        data = b"".join(np.asarray(values, "<f4").tobytes() for values in weights.values())
        shards = {f"shard{start}.bin": data[start : start + 100] for start in range(0, len(data), 100)}
        for name, part in shards.items():
            (tmp_path / name).write_bytes(part)
        entries = [{"name": n, "shape": list(np.shape(v)), "dtype": "float32"} for n, v in weights.items()]
        graph = {"layers": layers, "output_layers": [[layers[-1]["name"], 0, 0]]}
        description = {
            "modelTopology": {"model_config": {"config": graph}},
            "weightsManifest": [{"paths": list(shards), "weights": entries}],
        }
        (tmp_path / "model.json").write_text(json.dumps(description), encoding="utf-8")
        return tmp_path

    return write


def test_a_graph_of_layers_gives_what_its_formula_gives(model):
    layers = [
        layer("InputLayer", "in"),
        convolution("twice", "in", padding="valid", activation="relu"),
        layer("MultiplyBeta", "weak", "twice", beta=0.2),
        layer("Add", "sum", "in", "weak"),
        layer("Activation", "positive", "sum", activation="relu"),
        layer("Concatenate", "both", "in", "positive", axis=3),
        convolution("mixed", "both", use_bias=False),
        layer("UpSampling2D", "large", "mixed", size=[4, 4], interpolation="nearest"),
    ]
    mix = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    weights = {
        "twice/kernel": 2 * np.eye(3)[None, None],
        "twice/bias": [-1, 0, 1],
        "mixed/kernel": mix[None, None],
    }
    image = np.random.default_rng(1).normal(size=(5, 4, 3)).astype(np.float32)
    fine = LayerGraph(model(layers, weights))(torch.from_numpy(image).permute(2, 0, 1)[None])
    positive = np.maximum(image + 0.2 * np.maximum(2 * image + [-1, 0, 1], 0), 0)
    expected = np.concatenate([image, positive], axis=2) @ mix
    assert fine.shape == (1, 3, 20, 16)
    np.testing.assert_allclose(fine[0].permute(1, 2, 0), np.kron(expected, np.ones((4, 4, 1))), atol=1e-5)


def test_a_kernel_lies_as_keras_stores_it_rows_first_and_is_not_turned(model):
    kernel = np.zeros((3, 3, 1, 1))
    kernel[0, 1] = 1  # reads the pixel above
    graph = LayerGraph(
        model([layer("InputLayer", "in"), convolution("up", "in")], {"up/kernel": kernel, "up/bias": [0]})
    )
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    assert graph(image)[0, 0].tolist() == [[0, 0, 0, 0], [0, 1, 2, 3], [4, 5, 6, 7]]


def test_depth_becomes_space_in_tensorflows_order():
    fine = depth_to_space(torch.arange(48.0).reshape(1, 48, 1, 1), 4)
    assert fine.shape == (1, 3, 4, 4)
    for colour, row, column in np.ndindex(3, 4, 4):
        assert fine[0, colour, row, column] == 3 * (4 * row + column) + colour


def test_a_layer_of_another_kind_is_refused(model):
    with pytest.raises(ValueError, match="no layer LSTM"):
        LayerGraph(model([layer("InputLayer", "in"), layer("LSTM", "out", "in")], {}))


@pytest.mark.parametrize("largest", [1, 255])
def test_a_picture_goes_in_and_comes_out_in_eight_bits_whatever_white_is_to_the_network(model, largest):
    layers = [
        layer("InputLayer", "in"),
        layer("UpSampling2D", "large", "in", size=[4, 4], interpolation="nearest"),
        layer("Add", "twice", "large", "large"),
    ]
    fine = UpscalerJS(model(layers, {}), largest)(np.full((2, 3, 3), [10, 100, 200], np.uint8))
    assert fine.dtype == np.uint8 and fine.shape == (8, 12, 3)
    assert np.unique(fine.reshape(-1, 3), axis=0).tolist() == [[20, 200, 255]]


# ---------------------------------------------------------------- scans as pictures


def test_a_scan_becomes_a_picture_and_gets_its_units_back():
    voxels = np.random.default_rng(0).uniform(-50, 900, (3, 48, 48)).astype(np.float32)
    truth = choose_slices(Volume(voxels, np.diag([1.0, 1.0, 5.0, 1.0])), 4)
    stack = degrade(truth, "area")
    repeated = in_eight_bits(lambda picture: picture.repeat(4, axis=0).repeat(4, axis=1))(truth, stack, "area")
    coarse = truth.slices_of(stack).repeat(4, axis=1).repeat(4, axis=2)
    white = np.percentile(stack.voxels, 99.9)
    level = (white - stack.voxels.min()) / 255
    assert repeated.shape == (3, 48, 48)
    np.testing.assert_allclose(repeated, np.minimum(coarse, white), atol=0.51 * level)


# ---------------------------------------------------------------- installing


@pytest.fixture
def npm(monkeypatch):
    """A package of npm's with a model for x4 and other files, and the registry that has it."""
    files = {"package/models/x4/model.json": b"{}", "package/models/x2/model.json": b"no", "package/x4.js": b"no"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    asked = []

    def answer(url, timeout):
        asked.append(url)
        return io.BytesIO(packed.getvalue())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    digest = base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
    return NpmPackage("@scope", "net", "1.2.3", digest), asked


def test_only_the_model_is_unpacked_and_only_once_downloaded(npm, tmp_path):
    package, asked = npm
    for _ in range(2):
        folder = upscalerjs_folder(package, tmp_path)
    assert [path.name for path in folder.iterdir()] == ["model.json"]
    assert asked == ["https://registry.npmjs.org/@scope/net/-/net-1.2.3.tgz"]


def test_a_package_with_another_digest_is_refused_and_leaves_nothing(npm, tmp_path):
    package = NpmPackage("@scope", "net", "1.2.3", "other")
    with pytest.raises(InputError, match="not the package that was measured"):
        upscalerjs_folder(package, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_extra_names_what_the_command_would_install(repository):
    (extra,) = re.findall(r"^peers = \[(.*?)\]", (repository / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert re.findall('"(.*?)"', extra) == [f"{name}=={version}" for name, version in PACKAGES.items()]


# ---------------------------------------------------------------- the table


def test_a_row_has_the_mean_gain_and_the_worst_and_best_scan():
    def record(volume, method, psnr):
        return {"volume": volume, "degradation": "area", "method": method, **{key: psnr for _, key, _ in COLUMNS}}

    records = [record("a", "B", 20), record("a", "ours", 23), record("b", "B", 30), record("b", "ours", 29.5)]
    lines = markdown_table(records, "B").splitlines()
    assert lines[0] == "### x4, area: mean of 2 volumes"
    assert lines[4].startswith("| B | +0.00 | +0.00 to +0.00 | 25.00 |")
    assert lines[5].startswith("| ours | +1.25 | -0.50 to +3.00 | 26.25 |")
