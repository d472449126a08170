"""What stage 2 changed of an old network is changed of its successor, and of no other network."""

import pytest
import torch

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.models.bundles import read_model
from SuperResolutionLib.models.networks import NETWORKS
from Training.reports.carry_detail import carry_detail
from Training.reports.export_bundle import add_perceptual, export_bundle


@pytest.fixture
def model(tmp_path):
    """``model(name, seed, kind, **arguments)`` writes the weights of a tiny network as a model folder's."""

    def write(name, seed, kind="fidelity", **arguments):
        torch.manual_seed(seed)
        arguments = {"width": 4, "blocks": 1, **arguments}
        weights = NETWORKS["CompactNet"](factor=2, **arguments).state_dict()
        checkpoint = tmp_path / "checkpoint.pt"
        architecture = {"factor": 2, "name": "CompactNet", "arguments": arguments}
        torch.save({"average": weights, "iteration": 1, "architecture": architecture}, checkpoint)
        folder = tmp_path / name
        if kind == "fidelity":
            export_bundle(checkpoint, folder, "A tiny model", "in no time")
        else:
            add_perceptual(checkpoint, folder, "in no time")
        return folder

    return write


def change_of(model):
    """What stage 2 made other in a model's weights."""
    fidelity, perceptual = (model.load(detail).state_dict() for detail in (0.0, 1.0))
    return {name: perceptual[name] - value for name, value in fidelity.items()}


@pytest.mark.parametrize("neighbours", [0, 2])
def test_the_successor_is_changed_as_its_predecessor_was(model, neighbours):
    old = model("old", 0)
    model("old", 1, "perceptual")
    new = model("new", 2, neighbours=neighbours)
    carry_detail(old, new)
    change, carried = (change_of(read_model(folder)) for folder in (old, new))
    if neighbours:
        assert not carried["head.weight"][:, 1:].any()
        carried["head.weight"] = carried["head.weight"][:, :1]
    torch.testing.assert_close(carried, change, atol=2e-3, rtol=0)


def test_networks_that_do_not_correspond_are_refused(model):
    old = model("old", 0)
    with pytest.raises(InputError, match="fidelity weights only"):
        carry_detail(old, model("new", 2))
    model("old", 1, "perceptual")
    with pytest.raises(ValueError, match="is not of the network of"):
        carry_detail(old, model("new", 2, blocks=2))
    assert not read_model(old.parent / "new").has_detail
