"""Stage 1 learns, follows its phases and its learning rate, and tells what it does."""

import math
import re

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional as F
from training_log import log_of

from SuperResolutionLib.models.networks import NETWORKS, CompactNet, with_told
from Training.data.batches import GrowingPatches, NumberedBatches
from Training.data.phases import Phases
from Training.data.slice_pairs import ValidationSlices
from Training.losses.schedules import Halvings, WarmUpCosine
from Training.losses.terms import ImageTerms, weighted_sum
from Training.reports.export_bundle import export_bundle
from Training.runs.checkpoints import build_network, read_checkpoint, read_start
from Training.runs.log import tensorboard_writer
from Training.runs.stage1 import FidelityUpdate
from Training.runs.steps import WeightAverage, descend
from Training.runs.validation import coherence, sample_images, validate

CPU = torch.device("cpu")
DEGRADATIONS = {"area", "bicubic", "kspace", "kspace + 2 % noise", "kspace + 5 % noise"}


def root_of(error):
    return root_of(error.__cause__) if error.__cause__ else error


def test_a_run_leaves_a_whole_checkpoint(fidelity_run):
    state = read_checkpoint(fidelity_run / "checkpoint.pt")
    assert state["iteration"] == 12
    assert state["architecture"] == {"factor": 2, "name": "CompactNet", "arguments": {"width": 4, "blocks": 1}}
    network = NETWORKS["CompactNet"](factor=2, width=4, blocks=1)
    network.load_state_dict(state["network"])
    network.load_state_dict(state["average"])
    assert not torch.equal(state["network"]["head.weight"], state["average"]["head.weight"])
    assert state["optimiser"]["state"][0]["step"] == 12
    assert [set(random) for random in state["random"]] == [{"cpu"} | ({"cuda"} if torch.cuda.is_available() else set())]
    assert {path.name for path in fidelity_run.iterdir()} >= {"checkpoint.pt", "log.jsonl", "tensorboard"}
    assert not list(fidelity_run.glob("*.partial"))


def test_a_run_logs_losses_gains_and_the_time_left(fidelity_run):
    log = log_of(fidelity_run)
    assert [record["iteration"] for record in log] == [4, 8, 12]
    for record in log:
        assert math.isfinite(record["loss"]) and set(record["gain_db"]) == DEGRADATIONS
        assert set(record["coherence"]) == {name for name in DEGRADATIONS if "noise" in name}
        assert all(0 < value < 1 for value in record["coherence"].values())
    assert log[0]["l1"] == pytest.approx(log[0]["loss"]) and "mse" not in log[0]
    assert 10 * log[2]["mse"] == pytest.approx(log[2]["loss"]) and "l1" not in log[2]
    assert log[2]["seconds_left"] == 0


def test_a_run_draws_curves_and_sample_images_for_tensorboard(fidelity_run):
    events = EventAccumulator(str(fidelity_run / "tensorboard")).Reload()
    assert {"loss", "mse", "learning_rate", "gain_db/area"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("gain_db/kspace")] == [4, 8, 12]
    images = events.Images("cubic, network, truth/area")
    assert [image.step for image in images] == [4, 8, 12]
    assert (images[0].width, images[0].height) == (3 * 52, 48)


def test_curves_of_a_run_that_goes_on_have_no_iteration_twice(tmp_path):
    for first, last in ((1, 6), (5, 9)):
        writer = tensorboard_writer(tmp_path)
        for iteration in range(first, last + 1):
            writer.add_scalar("loss", last, iteration)
        writer.close()
        torch.save({"iteration": 4}, tmp_path / "checkpoint.pt")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        *((iteration, 6) for iteration in range(1, 5)),
        *((iteration, 9) for iteration in range(5, 10)),
    ]


def test_the_losses_in_the_log_follow_the_phases_and_the_learning_rate_the_schedule(train, tiny_stage1, tmp_path):
    train("stage1", {**tiny_stage1, "every": 1, "iterations": 6}, tmp_path)
    schedule = WarmUpCosine(5e-3, 2e-6, 3, 6)
    log = log_of(tmp_path)
    assert ["l1" if "l1" in record else "mse" for record in log] == ["l1"] * 4 + ["mse"] * 2
    assert [record["learning_rate"] for record in log] == [pytest.approx(schedule(n), rel=1e-5) for n in range(6)]


def test_a_bar_shows_how_far_the_run_is_and_the_time_left(train, tiny_stage1, tmp_path, capsys):
    always = {"train#handlers#3#disable": False, "train#handlers#3#mininterval": 0}
    train("stage1", {**tiny_stage1, "iterations": 2, **always}, tmp_path)
    assert re.search(r"Iteration: \[2/2\] 100%.*\[\d\d:\d\d<\d\d:\d\d\]", capsys.readouterr().err)


def test_another_seed_gives_other_weights_and_data(train, tiny_stage1, fidelity_run, tmp_path):
    train("stage1", {**tiny_stage1, "seed": 1}, tmp_path)
    first, second = (read_checkpoint(folder / "checkpoint.pt")["network"] for folder in (tmp_path, fidelity_run))
    assert not torch.allclose(first["head.weight"], second["head.weight"])


def test_training_learns_what_a_random_network_lacks(train, tiny_stage1, tmp_path):
    train("stage1", {**tiny_stage1, "iterations": 150, "every": 50, "learning_rate#peak": 1e-2}, tmp_path)
    first, *_, last = log_of(tmp_path)
    for name, gain in last["gain_db"].items():
        assert gain > first["gain_db"][name] + 0.5 and gain > -0.3, name


def test_a_run_starts_with_the_averaged_weights_of_a_checkpoint_of_either_stage_or_of_the_first_version(
    train, tiny_stage1, tmp_path
):
    average = CompactNet(2, 4, 1)
    architecture = {"factor": 2, "name": "CompactNet", "arguments": {"width": 4, "blocks": 1}}
    state = {"network": CompactNet(2, 4, 1).state_dict(), "average": average.state_dict(), "iteration": 500}
    torch.save({**state, "sampler": {"numpy": "{}"}, "architecture": architecture}, tmp_path / "old.pt")
    settings = {**tiny_stage1, "start_from": str(tmp_path / "old.pt"), "iterations": 1, "learning_rate#peak": 1e-9}
    train("stage1", settings, tmp_path / "run")
    begun = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    for key, value in average.state_dict().items():
        torch.testing.assert_close(begun["network"][key], value, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match="which is not"):
        build_network({**architecture, "arguments": {"width": 8, "blocks": 1}}, tmp_path / "old.pt")


def test_a_start_of_another_factor_gives_all_weights_but_those_of_the_last_convolution(tmp_path):
    coarser = {"factor": 2, "name": "CompactNet", "arguments": {"width": 4, "blocks": 1}}
    start = CompactNet(2, 4, 1).state_dict()
    torch.save({"average": start, "architecture": coarser}, tmp_path / "start.pt")
    weights = build_network({**coarser, "factor": 4}, tmp_path / "start.pt").state_dict()
    taken = {name for name, value in weights.items() if value.shape == start[name].shape and value.equal(start[name])}
    assert set(weights) - taken == {"tail.weight", "tail.bias"}


def test_a_model_folder_is_a_start_too(fidelity_run, tmp_path):
    export_bundle(fidelity_run / "checkpoint.pt", tmp_path, "A tiny model", "on nothing, in no time")
    started = read_start(tmp_path)
    before = read_checkpoint(fidelity_run / "checkpoint.pt")
    assert started["architecture"] == before["architecture"]
    network = build_network(started["architecture"], tmp_path)
    assert all(parameter.requires_grad for parameter in network.parameters())
    for key, value in before["average"].items():
        assert torch.equal(network.state_dict()[key], value.half().float())


def test_unknown_and_incomplete_terms_are_refused_before_the_first_step(train, tiny_stage1, tmp_path):
    for terms, message in (({"l3": 1.0}, "no loss term l3"), ({"perceptual": 1.0}, "perceptual_weights")):
        loss = [{"until": 1.0, **terms}]
        with pytest.raises((RuntimeError, ValueError)) as raised:
            train("stage1", {**tiny_stage1, "stage1_loss": loss}, tmp_path)
        assert message in str(root_of(raised.value))
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_learning_rate_warms_up_and_falls_by_half_a_cosine():
    schedule = WarmUpCosine(peak=1e-3, last=1e-5, warm_up=10, iterations=110)
    rates = [schedule(iteration) for iteration in range(110)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[4] == pytest.approx(5e-4)
    assert rates[9] == rates[10] == pytest.approx(1e-3)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[60] == pytest.approx((1e-3 + 1e-5) / 2)
    assert rates[109] == pytest.approx(1e-5, rel=0.05)


def test_the_papers_learning_rate_is_halved_after_each_quarter():
    schedule = Halvings(first=1e-4, last=1.25e-5, iterations=400)
    rates = [schedule(iteration) for iteration in (0, 99, 100, 199, 200, 299, 300, 399)]
    assert rates == pytest.approx([1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5, 2.5e-5, 1.25e-5, 1.25e-5])


def test_the_settings_are_those_of_the_first_phase_not_ended():
    phases = Phases([{"until": 0.6, "l1": 1.0}, {"until": 1.0, "mse": 10.0, "l1": 0.5}], 10)
    assert [phases(iteration) for iteration in range(10)] == [{"l1": 1.0}] * 6 + [{"mse": 10.0, "l1": 0.5}] * 4
    assert phases.names == {"l1", "mse"}


@pytest.mark.parametrize("shares", [[], [0.5], [1.0, 0.5], [0.5, 0.5, 1.0], [0.5, 2.0]])
def test_phases_must_rise_to_the_end_of_the_run(shares):
    with pytest.raises(ValueError, match="rising shares"):
        Phases([{"until": share} for share in shares], 10)


def test_every_index_is_used_once_in_order_and_a_resumed_run_begins_where_it_was():
    batches = NumberedBatches(batch=3, iterations=4)
    assert list(batches) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert len(batches) == 4
    batches.start = 2
    assert list(batches) == [[6, 7, 8], [9, 10, 11]]
    assert len(batches) == 2


def test_patches_grow_with_the_phases_and_stay_functions_of_their_index(data, repository):
    from Training.data.slice_pairs import PairDataset

    preset = repository / "Training" / "configs" / "degradation_mri.yaml"
    pairs = PairDataset(data, data / "datalist.json", preset, factor=2, coarse_size=12, versions=1)
    phases = [{"until": 0.5, "coarse_size": 8}, {"until": 1.0, "coarse_size": 12}]
    growing = GrowingPatches(pairs, phases, batch=4, iterations=10)
    assert [growing[index]["image"].shape[-1] for index in (0, 19, 20, 39)] == [8, 8, 12, 12]
    assert growing[19]["label"].shape == (1, 16, 16)
    assert torch.equal(growing[33]["image"], pairs[33]["image"])
    assert len(growing) > 40


def test_the_terms_are_what_their_names_say_and_only_image_terms_are_computed():
    terms = ImageTerms(factor=2, device=CPU, held_band=0.25)
    truth = torch.rand(2, 1, 24, 24)
    coarse = F.avg_pool2d(truth, 2)
    names = ("l1", "mse", "charbonnier", "consistency", "adversarial")
    found = terms(names, truth + 0.1, truth, coarse)
    assert set(found) == set(names) - {"adversarial"}
    assert float(found["l1"]) == pytest.approx(0.1, rel=1e-4)
    assert float(found["mse"]) == pytest.approx(0.01, rel=1e-4)
    assert float(found["charbonnier"]) == pytest.approx(math.sqrt(0.01 + 1e-6), rel=1e-4)
    assert float(found["consistency"]) == pytest.approx(0.01, rel=1e-3)
    assert float(weighted_sum(found, {"l1": 2.0, "mse": 10.0})) == pytest.approx(0.3, rel=1e-4)


@pytest.mark.parametrize("largest_gradient, step", [(1.0, 0.1 / math.sqrt(2)), (2.0, 0.2 / math.sqrt(2)), (None, 0.3)])
def test_a_step_sets_the_rate_and_clips_the_gradient_where_it_shall(largest_gradient, step):
    weight = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    optimiser = torch.optim.SGD([weight], lr=123.0)
    descend(optimiser, 3 * weight.sum(), 0.1, largest_gradient)
    torch.testing.assert_close(weight.detach(), torch.full((2,), 1 - step))


def test_the_average_moves_towards_the_weights_faster_at_first_and_is_the_network_where_it_is_off():
    network = CompactNet(2, 4, 1)
    for decay, iteration, kept in ((0.9, 1000, 0.9), (0.9, 0, 0.1), (0.0, 1000, 0.0)):
        average = CompactNet(2, 4, 1)
        before = [parameter.clone() for parameter in average.parameters()]
        WeightAverage(average, decay).update(network, iteration)
        for old, new, target in zip(before, average.parameters(), network.parameters()):
            torch.testing.assert_close(new, kept * old + (1 - kept) * target)


def test_stage_1_has_no_adversarial_term():
    average = WeightAverage(CompactNet(2, 4, 1), 0.0)
    with pytest.raises(ValueError, match="no loss term adversarial"):
        FidelityUpdate([{"until": 1.0, "l1": 1.0, "adversarial": 5e-3}], 10, lambda iteration: 1e-4, average)


@pytest.fixture(scope="module")
def cubic_network():
    """A network that adds nothing to cubic interpolation."""
    network = CompactNet(2, 4, 1)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    return network


def test_cubic_interpolation_gains_nothing_over_itself(data, cubic_network):
    unseen = ValidationSlices(data, data / "datalist.json", 2, slices=2)
    gains = validate(cubic_network, unseen, CPU)
    assert gains == pytest.approx(dict.fromkeys(DEGRADATIONS, 0.0), abs=1e-6)


def test_lines_in_flat_tissue_are_coherent_and_grain_is_not():
    generator = torch.Generator().manual_seed(0)
    truth = torch.zeros(2, 1, 96, 96)
    truth[..., 12:-12, 12:-12] = 1.0
    grain = 0.05 * torch.randn(truth.shape, generator=generator)
    lines = 0.05 * torch.sin(torch.arange(96.0) / 2).expand_as(truth)
    found = []
    for added in (grain, lines):
        pairs = [{"name": "2 % noise", "image": truth + added, "label": truth}, {"name": "area", "image": truth}]
        found.append(coherence(torch.nn.Identity(), pairs, CPU))
    assert set(found[0]) == {"2 % noise"}
    assert found[0]["2 % noise"] < 0.3 and found[1]["2 % noise"] > 0.8


def test_sample_images_show_interpolation_network_and_truth_in_the_range_of_the_truth(data, cubic_network):
    unseen = ValidationSlices(data, data / "datalist.json", 2, slices=3)
    samples = sample_images(cubic_network, unseen, CPU)
    assert set(samples) == DEGRADATIONS
    for image in samples.values():
        assert image.shape == (1, 48, 3 * 52)
        torch.testing.assert_close(image[..., :52], image[..., 52:104], rtol=0, atol=1e-5)
        truth = image[..., 104:]
        assert (truth.min(), truth.max()) == (0, 1)


def test_a_network_that_sees_neighbours_starts_with_the_answers_of_one_that_does_not(tmp_path):
    torch.manual_seed(0)
    alone = {"factor": 8, "name": "ThroughPlaneNet", "arguments": {"width": 4, "blocks": 2}}
    seeing = {**alone, "arguments": {**alone["arguments"], "neighbours": 2}}
    network = build_network(alone)
    torch.save({"architecture": alone, "average": network.state_dict()}, tmp_path / "alone.pt")
    started = build_network(seeing, tmp_path / "alone.pt")
    reformats = torch.rand(2, 5, 8, 20)
    with torch.inference_mode():
        expected = network(reformats[:, :1], 3.0, 0.8)
        torch.testing.assert_close(started(reformats, 3.0, 0.8, noise=0.05, apart=1.0), expected)
    with pytest.raises(ValueError, match="which is not"):
        build_network({**seeing, "arguments": {"width": 8, "blocks": 2, "neighbours": 2}}, tmp_path / "alone.pt")


@pytest.mark.parametrize("name", ["CompactNet", "RRDBNet"])
def test_a_slice_plane_network_that_sees_neighbours_starts_with_those_answers_too(tmp_path, name):
    torch.manual_seed(0)
    arguments = {"width": 4, "blocks": 1} if name == "CompactNet" else {"width": 4, "growth": 4, "output": "residual"}
    alone = {"factor": 2, "name": name, "arguments": arguments}
    seeing = {**alone, "arguments": {**arguments, "neighbours": 2}}
    network = build_network(alone)
    torch.save({"architecture": alone, "average": network.state_dict()}, tmp_path / "alone.pt")
    started = build_network(seeing, tmp_path / "alone.pt")
    slices = with_told(torch.rand(2, 5, 8, 20), 0.03, 1.0)
    with torch.inference_mode():
        torch.testing.assert_close(started(slices), network(slices[:, :1]))
