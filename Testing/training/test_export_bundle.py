"""An exported folder is a model that the engine loads, with the weights that were trained."""

import hashlib
import json

import pytest
import torch

from SuperResolutionLib.bundles import read_model
from SuperResolutionLib.networks import NETWORKS
from SuperResolutionLib.version import VERSION
from Training.export_bundle import HELD_BAND, export_bundle


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint and the network whose averaged weights it holds."""
    torch.manual_seed(0)
    arguments = {"width": 4, "blocks": 1}
    average, network = (NETWORKS["CompactNet"](factor=2, **arguments) for _ in range(2))
    path = tmp_path_factory.mktemp("run") / "checkpoint.pt"
    architecture = {"factor": 2, "name": "CompactNet", "arguments": arguments}
    state = {"average": average.state_dict(), "network": network.state_dict()}
    torch.save({**state, "iteration": 77, "architecture": architecture}, path)
    return path, average


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "mri-x2-tiny"
    export_bundle(trained[0], folder, "A tiny model", "on nothing, in no time", "fast")
    return folder


def test_an_exported_folder_is_a_model_with_the_averaged_weights_in_float16(exported, trained):
    model = read_model(exported)
    assert (model.name, model.factor, model.modality, model.quality) == ("mri-x2-tiny", 2, "MR", "fast")
    assert model.description == "A tiny model" and model.held_band == HELD_BAND and model.default_detail == 0
    loaded = model.load(0).state_dict()
    for key, value in trained[1].state_dict().items():
        assert torch.equal(loaded[key], value.half().float())
    image = torch.rand(1, 1, 9, 7)
    torch.testing.assert_close(model.load(0)(image), trained[1](image), atol=2e-3, rtol=0)


def test_the_metadata_states_digest_version_and_what_monai_wants(exported):
    metadata = json.loads((exported / "configs" / "metadata.json").read_text(encoding="utf-8"))
    content = (exported / "models" / "fidelity.safetensors").read_bytes()
    block = metadata["super_resolution"]
    assert block["weights"]["fidelity"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (block["training"], block["iterations"]) == ("on nothing, in no time", 77)
    assert metadata["version"] == VERSION
    required = "schema changelog monai_version pytorch_version numpy_version task description authors copyright"
    for key in (*required.split(), "network_data_format"):
        assert metadata[key]
    assert metadata["network_data_format"]["outputs"]["pred"]["spatial_shape"] == ["2*n", "2*n"]


def test_exporting_again_leaves_the_model_card_alone(exported, trained, tmp_path):
    folder = tmp_path / "mri-x2-tiny"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "README.md").write_text("By hand")
    for _ in range(2):
        export_bundle(trained[0], folder, "A tiny model", "on nothing, in no time", "standard")
    assert (folder / "docs" / "README.md").read_text() == "By hand"
    assert read_model(folder).quality == "standard"
    same = "models/fidelity.safetensors"
    assert (folder / same).read_bytes() == (exported / same).read_bytes()
