"""An exported folder is a model that the engine loads, with the weights that were trained."""

import hashlib
import json

import jsonschema
import pytest
import torch

from SuperResolutionLib.models.bundles import read_model
from SuperResolutionLib.models.networks import NETWORKS
from SuperResolutionLib.version import VERSION
from Training.reports.export_bundle import SLICE_PLANE, add_perceptual, export_bundle, main, model_of


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
    assert (
        model.description == "A tiny model"
        and model.held_band == SLICE_PLANE["acquisition"]["held_band"]
        and model.default_detail == 0
    )
    loaded = model.load(0).state_dict()
    for key, value in trained[1].state_dict().items():
        assert torch.equal(loaded[key], value.half().float())
    image = torch.rand(1, 1, 9, 7)
    torch.testing.assert_close(model.load(0)(image), trained[1](image), atol=2e-3, rtol=0)


def test_the_metadata_states_digest_version_and_what_monai_wants(exported, repository):
    metadata = json.loads((exported / "configs" / "metadata.json").read_text(encoding="utf-8"))
    content = (exported / "models" / "fidelity.safetensors").read_bytes()
    block = metadata["super_resolution"]
    assert block["weights"]["fidelity"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (block["training"], block["iterations"]) == ("on nothing, in no time", 77)
    assert metadata["version"] == VERSION
    schema = repository / "Testing" / "engine" / "monai_transforms" / "metadata_schema.json"
    jsonschema.validate(metadata, json.loads(schema.read_text()))
    assert metadata["network_data_format"]["outputs"]["pred"]["spatial_shape"] == ["2*n", "2*n"]


def test_a_model_is_of_the_modality_that_it_is_exported_for(trained, tmp_path):
    export_bundle(trained[0], tmp_path, "A tiny model", "on nothing, in no time", modality="CT")
    assert read_model(tmp_path).modality == "CT"
    formats = json.loads((tmp_path / "configs" / "metadata.json").read_text())["network_data_format"]
    assert (formats["inputs"]["image"]["modality"], formats["outputs"]["pred"]["modality"]) == ("CT", "CT")


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


@pytest.fixture
def perceptual(trained, tmp_path):
    """A checkpoint of the same network as ``trained``, with other weights."""
    state = torch.load(trained[0], weights_only=True)
    path = tmp_path / "perceptual.pt"
    average = {key: value + 0.5 for key, value in state["average"].items()}
    torch.save({**state, "average": average, "iteration": 99}, path)
    return path


@pytest.fixture
def both(trained, perceptual, tmp_path):
    """A model folder with both sets of weights."""
    folder = tmp_path / "mri-x2-tiny"
    export_bundle(trained[0], folder, "A tiny model", "on nothing, in no time")
    add_perceptual(perceptual, folder, "against nobody")
    return folder


def test_perceptual_weights_are_added_and_the_fidelity_weights_stay(both, exported, trained):
    model, before = read_model(both), read_model(exported)
    assert model.has_detail and not before.has_detail
    assert model.weights["fidelity"] == before.weights["fidelity"]
    same = "models/fidelity.safetensors"
    assert (both / same).read_bytes() == (exported / same).read_bytes()
    fidelity, perceptual, half = (model.load(detail).state_dict() for detail in (0, 1, 0.5))
    for key, value in trained[1].state_dict().items():
        assert torch.equal(fidelity[key], value.half().float())
        torch.testing.assert_close(perceptual[key], value + 0.5, atol=1e-3, rtol=0)
        torch.testing.assert_close(half[key], value + 0.25, atol=1e-3, rtol=0)
    metadata = json.loads((both / "configs" / "metadata.json").read_text(encoding="utf-8"))
    entry = metadata["super_resolution"]["weights"]["perceptual"]
    assert (entry["training"], entry["iterations"]) == ("against nobody", 99)
    assert metadata["super_resolution"]["iterations"] == 77


def test_perceptual_weights_stay_beside_the_fidelity_weights_that_they_came_from_only(both, trained, perceptual):
    export_bundle(trained[0], both, "A better description", "on nothing, in no time")
    assert read_model(both).has_detail and read_model(both).description == "A better description"
    export_bundle(perceptual, both, "Another network", "on nothing, in no time")
    assert not read_model(both).has_detail
    assert not (both / "models" / "perceptual.safetensors").exists()


def test_perceptual_weights_of_another_network_are_refused(both, perceptual):
    state = torch.load(perceptual, weights_only=True)
    state["architecture"]["arguments"]["width"] = 8
    torch.save(state, perceptual)
    before = (both / "models" / "perceptual.safetensors").read_bytes()
    with pytest.raises(ValueError, match="is of"):
        add_perceptual(perceptual, both, "in vain")
    assert (both / "models" / "perceptual.safetensors").read_bytes() == before


def test_a_checkpoint_is_a_model_and_models_are_themselves(trained):
    folder = model_of(str(trained[0]))
    assert read_model(folder).factor == 2
    assert model_of("mri-x4-compact") == "mri-x4-compact"
    assert model_of(folder) == folder


def test_the_program_exports_either_kind(trained, perceptual, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "mri-x2-tiny"

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["export_bundle", *map(str, arguments)])
        main()

    run(trained[0], folder, "--description", "A tiny model", "--training", "none", "--quality", "standard")
    run(perceptual, folder, "--kind", "perceptual", "--training", "none")
    assert read_model(folder).has_detail and read_model(folder).quality == "standard"
    with pytest.raises(SystemExit):
        run(trained[0], folder, "--training", "none")
    assert "need a --description" in capsys.readouterr().err
