"""Model folders are data: what does not fit is one sentence for the user, and nothing in a folder is executed."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.models.bundles import (
    BUNDLES,
    choose_model,
    find_model,
    installed_models,
    read_model,
    through_slices_model,
)

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"


def edit(folder, change):
    """Change ``configs/metadata.json`` by ``change(block, metadata)``."""
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    change(metadata["super_resolution"], metadata)
    path.write_text(json.dumps(metadata))


def replace_weights(folder, content, kind="fidelity"):
    """Put ``content`` in place of the weights, with its own, matching digest."""
    (folder / "models" / f"{kind}.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit(folder, lambda block, _: block["weights"][kind].update(sha256=digest))


def load(folder, detail=0.0):
    return read_model(folder).load(detail)


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_model_folder_gives_its_description_and_a_frozen_network(write_bundle):
    model = read_model(write_bundle(factor=4))
    assert (model.name, model.factor, model.modality, model.quality) == ("tiny", 4, "MR", "fast")
    assert model.description == "A tiny model for tests"
    network = model.load(0)
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())
    assert network(torch.rand(1, 1, 6, 6)).shape == (1, 1, 24, 24)


def test_float16_weights_are_loaded_as_float32(write_bundle):
    folder = write_bundle()
    state = {key: value.half() for key, value in load(folder).state_dict().items()}
    replace_weights(folder, safetensors.torch.save(state))
    for key, value in load(folder).state_dict().items():
        assert torch.equal(value, state[key].float())


def test_weights_with_a_wrong_digest_are_refused(write_bundle):
    folder = write_bundle()
    content = bytearray((folder / "models" / "fidelity.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "models" / "fidelity.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="SHA-256.*; "):
        load(folder)


def test_a_missing_weight_file_is_refused(write_bundle):
    folder = write_bundle()
    (folder / "models" / "fidelity.safetensors").unlink()
    with pytest.raises(InputError, match="lacks.*; "):
        load(folder)


@pytest.mark.parametrize(
    "file", ["../outside.safetensors", "models/../../outside.safetensors", "{outside}", "", ".", "models/bad\0name"]
)
def test_a_path_out_of_the_folder_is_refused(write_bundle, tmp_path, file):
    folder = write_bundle()
    outside = tmp_path / "outside.safetensors"
    shutil.copy(folder / "models" / "fidelity.safetensors", outside)
    edit(folder, lambda block, _: block["weights"]["fidelity"].update(file=file.format(outside=outside)))
    with pytest.raises(InputError, match=ONE_SENTENCE):
        load(folder)


def test_a_link_out_of_the_folder_is_refused(write_bundle, tmp_path):
    folder = write_bundle()
    weights = folder / "models" / "fidelity.safetensors"
    weights.rename(tmp_path / "outside.safetensors")
    weights.symlink_to(tmp_path / "outside.safetensors")
    with pytest.raises(InputError, match="outside"):
        load(folder)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_in_the_place_of_weights_is_refused_and_not_executed(write_bundle, tmp_path, writer):
    folder, sprung = write_bundle(), tmp_path / "sprung"
    if writer == "pickle":
        content = pickle.dumps(Trap(sprung))
    else:
        torch.save({"head.weight": Trap(sprung)}, tmp_path / "weights.pt")
        content = (tmp_path / "weights.pt").read_bytes()
    replace_weights(folder, content)
    with pytest.raises(InputError, match="not a safetensors file"):
        load(folder)
    assert not sprung.exists()


def test_expressions_and_targets_in_a_folder_are_never_evaluated(write_bundle, tmp_path):
    folder, sprung = write_bundle(), tmp_path / "sprung"
    call = f"$__import__('os').mkdir({str(sprung)!r})"

    def plant(block, metadata):
        metadata["description"] = call
        metadata["_target_"] = "os.mkdir"
        block["network"]["_target_"] = call
        block["modality"] = call

    edit(folder, plant)
    (folder / "configs" / "inference.json").write_text(json.dumps({"x": call, "_target_": "os.mkdir"}))
    (folder / "scripts").mkdir()
    (folder / "scripts" / "__init__.py").write_text(f"import os\nos.mkdir({str(sprung)!r})\n")
    assert read_model(folder).description == call
    load(folder)
    edit(folder, lambda block, _: block["network"]["arguments"].update(width=call))
    with pytest.raises(InputError, match=ONE_SENTENCE):
        load(folder)
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["os.system", "nn.Module", "torch.load", "CompactNet.__init__", "", "compactnet"])
def test_a_network_that_is_not_in_the_registry_is_refused(write_bundle, name):
    folder = write_bundle()
    edit(folder, lambda block, _: block["network"].update(name=name))
    with pytest.raises(InputError, match=ONE_SENTENCE):
        load(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 5},
        {"width": 0},
        {"width": -4},
        {"width": 10**9},
        {"width": 2**70},
        {"width": "4"},
        {"width": 4.0},
        {"width": None},
        {"width": [4]},
        {"blocks": 2},
        {"blocks": -1},
        {"blocks": "1"},
        {"depth": 1},
        {"self": 1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_absurd_arguments_are_refused(write_bundle, arguments):
    folder = write_bundle()
    edit(folder, lambda block, _: block["network"].update(arguments={"width": 4, "blocks": 1, **arguments}))
    with pytest.raises(InputError, match=ONE_SENTENCE):
        load(folder)


def test_a_network_of_a_billion_blocks_is_refused_at_once(write_bundle, repository):
    folder = write_bundle()
    edit(folder, lambda block, _: block["network"]["arguments"].update(blocks=10**9))
    code = f"from SuperResolutionLib.models.bundles import read_model\nread_model({str(folder)!r}).load(0)"
    end = subprocess.run(  # a process of its own: without a bound it eats the memory
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=15, cwd=repository
    )
    assert "InputError" in end.stderr


@pytest.mark.parametrize("factor", [0, 1, 3, -2, 10**6, 2**40, "2x", None, float("inf"), float("nan")], ids=str)
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_an_absurd_factor_is_refused(write_bundle, factor):
    folder = write_bundle()
    edit(folder, lambda block, _: block.update(factor=factor))
    with pytest.raises(InputError, match=ONE_SENTENCE):
        load(folder)


def test_weights_of_the_wrong_shape_are_refused(write_bundle):
    folder = write_bundle()
    good = load(folder).state_dict()
    for change in ({"head.weight": torch.zeros(5, 1, 3, 3)}, {"extra": torch.zeros(1)}, {"head.bias": None}):
        state = {key: value for key, value in {**good, **change}.items() if value is not None}
        replace_weights(folder, safetensors.torch.save(state))
        with pytest.raises(InputError, match="do not fit"):
            load(folder)


def test_two_weight_sets_that_do_not_fit_each_other_are_refused(write_bundle):
    folder = write_bundle(weights=("fidelity", "perceptual"))
    state = load(folder).state_dict()
    for wrong in (torch.zeros(3, 1, 3, 3), torch.zeros(1)):  # the second would blend by broadcasting
        replace_weights(folder, safetensors.torch.save({**state, "head.weight": wrong}), "perceptual")
        with pytest.raises(InputError, match=ONE_SENTENCE):
            load(folder, 0.5)


def test_weights_of_an_unknown_type_are_refused(write_bundle):
    folder = write_bundle()
    header = json.dumps({"head.weight": {"dtype": "F6_E2M3", "shape": [4], "data_offsets": [0, 3]}}).encode()
    replace_weights(folder, len(header).to_bytes(8, "little") + header + b"\0\0\0")
    with pytest.raises(InputError, match=ONE_SENTENCE):
        load(folder)


JUNK = {
    "nothing": b"",
    "text": b"Dear colleague",
    "bytes": b"\xff\xfe\x00\x01",
    "number": b"5",
    "list": b"[]",
    "null": b"null",
    "no block": b'{"description": "x"}',
    "block is text": b'{"description": "x", "super_resolution": "y"}',
    "deep": b"[" * 200_000,
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK)
def test_junk_for_a_description_is_refused(write_bundle, content):
    folder = write_bundle()
    (folder / "configs" / "metadata.json").write_bytes(content)
    with pytest.raises(InputError, match=ONE_SENTENCE):
        read_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": {}},
        {"weights": []},
        {"weights": {"fidelity": "models/fidelity.safetensors"}},
        {"weights": {"perceptual": {"file": "models/fidelity.safetensors", "sha256": ""}}},
        {"network": "CompactNet"},
        {"network": {"name": "CompactNet", "arguments": "width"}},
        {"quality": "best"},
        {"acquisition": {"held_band": 0}},
        {"acquisition": {"held_band": float("nan")}},
        {"acquisition": {}},
        {"default_detail": "much"},
    ],
    ids=str,
)
def test_an_incomplete_description_is_refused(write_bundle, change):
    folder = write_bundle()
    edit(folder, lambda block, _: block.update(change))
    with pytest.raises(InputError, match=ONE_SENTENCE):
        load(folder)


@pytest.mark.parametrize("detail", [0.25, 0.5, 0.9])
def test_detail_blends_the_weights_linearly(write_bundle, detail):
    folder = write_bundle(weights=("fidelity", "perceptual"))
    fidelity, blended, perceptual = (load(folder, value).state_dict() for value in (0, detail, 1))
    for key in fidelity:
        assert not torch.equal(fidelity[key], perceptual[key])
        torch.testing.assert_close(blended[key], (1 - detail) * fidelity[key] + detail * perceptual[key])


def test_the_ends_of_detail_are_the_stored_weights_and_their_digests(write_bundle):
    folder = write_bundle(weights=("fidelity", "perceptual"))
    model = read_model(folder)
    for detail, kind in ((0, "fidelity"), (1, "perceptual")):
        stored = safetensors.torch.load_file(folder / "models" / f"{kind}.safetensors")
        for key, value in model.load(detail).state_dict().items():
            assert torch.equal(value, stored[key])
        assert model.digest(detail) == model.weights[kind][1]
    assert model.digest(0.3) == f"{model.weights['fidelity'][1]}+{model.weights['perceptual'][1]}"


def test_detail_without_perceptual_weights_is_an_input_error(write_bundle):
    with pytest.raises(InputError, match="fidelity weights only"):
        load(write_bundle(), 0.3)


@pytest.mark.parametrize("detail", [-0.1, 1.1, float("nan"), float("inf")])
def test_detail_out_of_range_is_an_input_error(write_bundle, detail):
    model = read_model(write_bundle(weights=("fidelity", "perceptual")))
    for use in (model.load, model.digest):
        with pytest.raises(InputError, match="between 0 and 1"):
            use(detail)


def test_a_network_that_is_loaded_already_runs_and_is_named_by_its_own_weights(write_bundle):
    model = read_model(write_bundle(weights=("fidelity", "perceptual")))
    network = model.load(0.5)
    loaded = replace(model, loaded=network)
    assert find_model(loaded) is loaded and loaded == model
    assert loaded.load(0.5) is network
    assert loaded.digest(0.5) == model.digest(0.5)
    assert loaded.digest(0.0) not in {model.digest(detail) for detail in (0.0, 0.5, 1.0)}
    with torch.no_grad():
        network.tail.bias += 1
    assert loaded.digest(0.5) != model.digest(0.5)
    with pytest.raises(InputError, match="between 0 and 1"):
        loaded.load(2.0)


def test_the_installed_models_serve_x2_and_x4_with_any_detail_and_new_slices():
    models = installed_models()
    assert all(find_model(model.name) == model for model in models)
    slice_plane = [model for model in models if not model.through_slices]
    assert {2, 4} <= {model.factor for model in slice_plane}
    for model in slice_plane:
        for detail in (0.0, 0.5, 1.0) if model.has_detail else (0.0,):
            assert model.load(detail)(torch.rand(1, 1, 8, 8)).shape == (1, 1, 8 * model.factor, 8 * model.factor)
    network = through_slices_model().load(0.0)
    assert network(torch.rand(1, 1, 8, 12), 3.0, 1.0).shape == (1, 1, 24, 12)


def test_new_slices_are_made_by_the_network_of_the_scans_modality_else_by_that_for_mri(write_bundle):
    named = {
        name: read_model(write_bundle(name, 8, "ThroughPlaneNet", axes="through the slices", modality=modality))
        for name, modality in (("a-ct", "CT"), ("b-mri", "MR"), ("c-pet", "PT"))
    }
    models = list(named.values())
    assert through_slices_model("CT", models).name == "a-ct"
    assert through_slices_model("MR", models).name == "b-mri"
    for unknown in (None, "US"):
        assert through_slices_model(unknown, models).name == "b-mri"
    assert through_slices_model("CT", [named["c-pet"]]).name == "c-pet"
    with pytest.raises(InputError, match="makes new slices"):
        through_slices_model("CT", [])


def test_the_installed_models_fit_the_size_that_the_extensions_index_allows():
    files = [path for path in BUNDLES.rglob("*") if path.is_file()]
    assert all(path.suffix in (".json", ".safetensors", ".md") for path in files)
    assert max(path.stat().st_size for path in files) <= 4 * 2**20
    assert sum(path.stat().st_size for path in files) <= 24 * 2**20


def test_a_model_is_found_by_name_among_the_installed_ones_or_as_a_folder(write_bundle, tmp_path):
    folder = write_bundle("mine")
    assert find_model("mine", bundles=tmp_path).name == "mine"
    assert find_model(str(folder)).folder == folder
    for name in ("yours", "../mine", "."):
        with pytest.raises(InputError, match=ONE_SENTENCE):
            find_model(name, bundles=tmp_path / "mine")


def test_quality_chooses_among_the_models_of_a_factor(write_bundle):
    compact = read_model(write_bundle("a-compact"))
    rrdb = replace(compact, name="b-rrdb", quality="standard")
    other = replace(compact, name="c-other", factor=4)
    models = [rrdb, compact, other]
    assert choose_model(2, "fast", models) is compact
    assert choose_model(2, "standard", models) is rrdb
    assert choose_model(2, "best", models) is rrdb
    assert choose_model(4, "standard", models) is other
    for factor, quality in ((3, "fast"), (2, "good")):
        with pytest.raises(InputError, match=ONE_SENTENCE):
            choose_model(factor, quality, models)


def test_modality_comes_before_quality_and_detail_before_both(write_bundle):
    mri = read_model(write_bundle("b-mri"))
    plain = {"fidelity": mri.weights["fidelity"]}
    mri = replace(mri, weights={**plain, "perceptual": mri.weights["fidelity"]})
    rrdb = replace(mri, name="c-mri", quality="standard")
    ct = replace(mri, name="a-ct", modality="CT", weights=plain)
    models = [ct, rrdb, mri]
    assert choose_model(2, "fast", models, "CT") is choose_model(2, "standard", models, "CT") is ct
    for modality in ("MR", "PT", None):
        assert choose_model(2, "fast", models, modality) is mri
        assert choose_model(2, "standard", models, modality) is rrdb
    assert choose_model(2, "fast", models, "CT", with_detail=True) is mri
    assert choose_model(2, "fast", [ct], "MR", with_detail=True) is ct
