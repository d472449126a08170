"""Stage 1 learns, keeps checkpoints from which it goes on as if nothing had happened, and follows its schedule."""

import argparse
import json
import math

import pytest
import torch

from SuperResolutionLib.networks import NETWORKS, CompactNet
from Training import stage1
from Training.slice_pairs import read_stacks
from Training.stage1 import learning_rate, loss_terms, pixel_loss, train, update_average, validate


def arguments(data, out, iterations=6, every=2, **changes):
    values = {
        "data": data,
        "datalist": data / "datalist.json",
        "config": data / "config.json",
        "factor": 2,
        "out": out,
        "iterations": iterations,
        "every": every,
        "threads": 0,
        "seed": 0,
    }
    return argparse.Namespace(**{**values, **changes})


def checkpoint_in(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def dies_at(call, really):
    """Return ``really``, whose ``call``-th call is the end of the process instead."""
    calls = []

    def mortal(*arguments):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return really(*arguments)

    return mortal


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    """The folder of a run of six iterations that nothing broke."""
    folder = tmp_path_factory.mktemp("unbroken")
    torch.set_num_threads(1)
    train(arguments(data, folder))
    return folder


def test_a_run_leaves_a_whole_checkpoint_and_a_log(unbroken):
    state = checkpoint_in(unbroken)
    assert state["iteration"] == 6
    assert state["architecture"] == {"factor": 2, "name": "CompactNet", "arguments": {"width": 4, "blocks": 1}}
    network = NETWORKS["CompactNet"](factor=2, width=4, blocks=1)
    network.load_state_dict(state["network"])
    network.load_state_dict(state["average"])
    assert sorted(path.name for path in unbroken.iterdir()) == ["checkpoint.pt", "log.jsonl"]
    log = log_of(unbroken)
    assert [record["iteration"] for record in log] == [2, 4, 6]
    assert all(math.isfinite(record["loss"]) for record in log)
    assert set(log[0]["gain_db"]) == {"area", "bicubic", "kspace", "kspace + 2 % noise"}


@pytest.mark.parametrize("killed_while", ["training", "writing"])
def test_a_killed_run_goes_on_to_the_same_weights_as_an_unbroken_one(
    data, tmp_path, monkeypatch, unbroken, killed_while
):
    module, name, call = {
        "training": (stage1, "update_average", 4),  # in the fourth iteration, so that the third is lost, too
        "writing": (stage1.os, "replace", 2),
    }[killed_while]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, name, dies_at(call, getattr(module, name)))
        train(arguments(data, tmp_path))
    assert checkpoint_in(tmp_path)["iteration"] == 2
    train(arguments(data, tmp_path))

    resumed, whole = checkpoint_in(tmp_path), checkpoint_in(unbroken)
    assert resumed["iteration"] == 6
    for kind in ("network", "average"):
        for key, value in whole[kind].items():
            assert torch.equal(resumed[kind][key], value), (kind, key)
    assert resumed["sampler"]["numpy"] == whole["sampler"]["numpy"]
    assert torch.equal(resumed["sampler"]["torch"], whole["sampler"]["torch"])
    assert log_of(tmp_path)[-1]["gain_db"] == log_of(unbroken)[-1]["gain_db"]
    assert not list(tmp_path.glob("*.partial"))


def test_a_finished_run_is_left_as_it_is(data, unbroken):
    before = (unbroken / "checkpoint.pt").read_bytes()
    train(arguments(data, unbroken))
    assert (unbroken / "checkpoint.pt").read_bytes() == before


def test_another_seed_gives_other_weights(data, tmp_path, unbroken):
    train(arguments(data, tmp_path, seed=1))
    first, second = (checkpoint_in(folder)["network"]["head.weight"] for folder in (tmp_path, unbroken))
    assert not torch.allclose(first, second)


def test_training_learns_what_a_random_network_lacks(data, tmp_path):
    train(arguments(data, tmp_path, iterations=150, every=25))
    first, *_, last = log_of(tmp_path)
    for name, gain in last["gain_db"].items():
        assert gain > first["gain_db"][name] + 3
        assert gain > -0.3


def test_the_learning_rate_warms_up_and_falls_by_half_a_cosine():
    settings = {"learning_rate": 1e-3, "final_learning_rate": 1e-5, "warm_up": 10}
    rates = [learning_rate(iteration, 110, settings) for iteration in range(111)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[4] == pytest.approx(5e-4)
    assert rates[9] == rates[10] == pytest.approx(1e-3)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[60] == pytest.approx((1e-3 + 1e-5) / 2)
    assert rates[110] == pytest.approx(1e-5)
    assert learning_rate(500, 110, settings) == pytest.approx(1e-5)


def test_the_loss_is_that_of_the_first_phase_not_ended():
    phases = [{"until": 0.6, "l1": 1.0}, {"until": 1.0, "mse": 10.0, "l1": 0.5}]
    terms = [loss_terms(iteration, 10, phases) for iteration in range(10)]
    assert terms == [{"l1": 1.0}] * 6 + [{"mse": 10.0, "l1": 0.5}] * 4


def test_the_loss_is_the_weighted_sum_of_its_terms():
    truth = torch.rand(2, 1, 24, 24)
    image = truth + 0.1
    l1, mse = (float(pixel_loss(image, truth, {name: 1.0})) for name in ("l1", "mse"))
    assert (l1, mse) == (pytest.approx(0.1), pytest.approx(0.01))
    assert float(pixel_loss(image, truth, {"l1": 2.0, "mse": 10.0})) == pytest.approx(0.3)


def test_training_goes_through_the_phases(data, tmp_path, monkeypatch):
    seen = []
    really = stage1.pixel_loss
    monkeypatch.setattr(stage1, "pixel_loss", lambda *call: seen.append(sorted(call[2])) or really(*call))
    train(arguments(data, tmp_path, iterations=4, every=4))
    assert seen == [["l1"], ["l1"], ["mse"], ["mse"]]


def test_training_uses_the_schedule(data, tmp_path, monkeypatch):
    seen = []

    class Adam(torch.optim.Adam):
        def step(self, *arguments):
            seen.append(self.param_groups[0]["lr"])
            return super().step(*arguments)

    monkeypatch.setattr(torch.optim, "Adam", Adam)
    train(arguments(data, tmp_path, iterations=5, every=5))
    settings = json.loads((data / "config.json").read_text())["optimiser"]
    assert seen == [pytest.approx(learning_rate(iteration, 5, settings)) for iteration in range(5)]


def test_the_average_moves_towards_the_weights():
    average, network = CompactNet(2, 4, 1), CompactNet(2, 4, 1)
    before = [parameter.clone() for parameter in average.parameters()]
    update_average(average, network, 0.9)
    for old, new, target in zip(before, average.parameters(), network.parameters()):
        torch.testing.assert_close(new, 0.9 * old + 0.1 * target)


def test_cubic_interpolation_gains_nothing_over_itself(data):
    network = CompactNet(2, 4, 1)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    unseen = read_stacks(data / "datalist.json", data, 2, 0, versions=1, section="validation")
    assert validate(network, unseen) == pytest.approx(dict.fromkeys(validate(network, unseen), 0.0), abs=1e-6)


def test_the_configurations_that_ship_can_be_trained(repository):
    config = json.loads((repository / "Training" / "configs" / "stage1_mri.json").read_text())
    assert sum(config["degradation"]["shares"].values()) == pytest.approx(1)
    for factor in (2, 4):
        NETWORKS[config["network"]["name"]](factor=factor, **config["network"]["arguments"])
        assert set(config["patches"][str(factor)]) == {"coarse_size", "batch"}
    assert config["loss"][-1]["until"] == 1
    listing = json.loads((repository / "Training" / "configs" / "datalist_mri.json").read_text())
    assert sum(listing["group_weights"].values()) == pytest.approx(1)
    used = {entry["group"] for section in ("training", "validation") for entry in listing[section]}
    assert used == set(listing["group_weights"])
    names = {section: {entry["image"] for entry in listing[section]} for section in ("training", "validation")}
    assert not names["training"] & names["validation"]


def test_the_data_list_names_training_scans_only(repository, scans):
    listing = json.loads((repository / "Training" / "configs" / "datalist_mri.json").read_text())
    held_out = {path.name for path in (scans / "heldout").iterdir()}
    for section in ("training", "validation"):
        for entry in listing[section]:
            assert (scans / "train" / entry["image"]).is_file()
            assert entry["image"] not in held_out
