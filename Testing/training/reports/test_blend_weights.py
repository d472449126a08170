"""Weights that go a part of the way back to where the training began."""

import pytest
import torch

from SuperResolutionLib.models.networks import NETWORKS
from Training.reports.blend_weights import blend_weights
from Training.reports.export_bundle import export_bundle
from Training.runs.checkpoints import read_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    """``checkpoint(name, seed, **arguments)`` writes a tiny network's."""

    def write(name, seed, **arguments):
        torch.manual_seed(seed)
        arguments = {"width": 4, "blocks": 1, **arguments}
        weights = NETWORKS["CompactNet"](factor=2, **arguments).state_dict()
        architecture = {"factor": 2, "name": "CompactNet", "arguments": arguments}
        torch.save({"average": weights, "iteration": 7, "architecture": architecture}, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def start(checkpoint, tmp_path):
    export_bundle(checkpoint("start.pt", 0), tmp_path / "start", "A tiny model", "in no time")
    return tmp_path / "start"


@pytest.mark.parametrize("neighbours", [0, 2])
def test_the_share_of_each_weight_is_kept_and_new_input_channels_began_at_zero(checkpoint, start, neighbours):
    trained = checkpoint("trained.pt", 1, neighbours=neighbours)
    blend_weights(trained, start, 0.75, trained.parent / "out.pt")
    begun, after, out = (read_checkpoint(start.parent / name) for name in ("start.pt", "trained.pt", "out.pt"))
    assert (out["iteration"], out["architecture"]) == (7, after["architecture"])
    for name, value in out["average"].items():
        old = torch.zeros_like(value)
        old[tuple(slice(side) for side in begun["average"][name].shape)] = begun["average"][name]
        torch.testing.assert_close(value, 0.75 * after["average"][name] + 0.25 * old, atol=1e-3, rtol=0)


def test_another_network_or_no_share_is_refused(checkpoint, start):
    with pytest.raises(ValueError, match="is not of the network of"):
        blend_weights(checkpoint("deep.pt", 1, blocks=2), start, 0.5, start / "out.pt")
    with pytest.raises(ValueError, match="between 0 and 1"):
        blend_weights(checkpoint("same.pt", 1), start, 1.5, start / "out.pt")
    assert not (start / "out.pt").exists()
