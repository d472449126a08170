"""A head learns how far a frozen network is off, is put into a model folder, and calibrated."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_log import log_of

from SuperResolutionLib.models.bundles import read_model
from SuperResolutionLib.models.error_calibration import ONE_SD, UNIT
from SuperResolutionLib.models.networks import CompactNet, ThroughPlaneNet
from SuperResolutionLib.models.networks.error_head import new_error_head
from Training.reports.calibrate_error import calibrate, calibration_of, exponent_of, plain
from Training.reports.error_samples import ErrorSample
from Training.reports.expected_error import record_of, table_of
from Training.reports.export_bundle import export_bundle
from Training.reports.export_error_head import export_error_head
from Training.runs.checkpoints import read_checkpoint


@pytest.fixture(scope="module")
def settings(tiny, fidelity_run):
    return {
        **tiny,
        "start_from": str(fidelity_run / "checkpoint.pt"),
        "iterations": 40,
        "every": 20,
        "learning_rate#peak": 0.02,
        "learning_rate#warm_up": 3,
    }


@pytest.fixture(scope="module")
def run(train, settings, tmp_path_factory):
    """The folder of a run that nothing broke."""
    folder = tmp_path_factory.mktemp("error")
    train("error_head", settings, folder)
    return folder


@pytest.fixture
def model(run, fidelity_run, tmp_path):
    """A model folder with the head."""
    folder = tmp_path / "model"
    export_bundle(fidelity_run / "checkpoint.pt", folder, "A tiny model", "in no time")
    export_error_head(run / "checkpoint.pt", folder, "in no time")
    return folder


def test_it_learns_how_far_the_network_is_off_and_leaves_the_network_alone(run, fidelity_run):
    records = log_of(run)
    assert records[-1]["loss"] < records[0]["loss"]
    assert 0.5 < records[-1]["predicted"] / records[-1]["error"] < 2
    assert 0 < records[-1]["within"]["kspace"] < 1
    trained, before = read_checkpoint(run / "checkpoint.pt")["average"], read_checkpoint(fidelity_run / "checkpoint.pt")
    for name, value in before["average"].items():
        assert torch.equal(trained[f"network.{name}"], value)


def test_a_network_that_makes_new_slices_gets_a_head_likewise(train, tiny, repository, tmp_path):
    arguments = {"width": 4, "blocks": 1, "neighbours": 2}
    architecture = {"factor": 8, "name": "ThroughPlaneNet", "arguments": arguments}
    weights = ThroughPlaneNet(**arguments).state_dict()
    torch.save({"architecture": architecture, "average": weights, "iteration": 1}, tmp_path / "start.pt")
    settings = {**tiny, "start_from": str(tmp_path / "start.pt"), "iterations": 4}
    train("error_head", settings, tmp_path / "run", repository / "Training/configs/error_head_through_plane.yaml")
    export_bundle(tmp_path / "start.pt", tmp_path / "model", "New slices", "in no time")
    export_error_head(tmp_path / "run" / "checkpoint.pt", tmp_path / "model", "in no time")
    model = read_model(tmp_path / "model")
    assert model.with_error(model.load(0.0), 0.0, 0.0)(torch.rand(1, 1, 5, 9), 3.0, 1.0).shape == (1, 2, 15, 9)


def test_its_head_is_put_beside_the_weights_and_goes_with_them(model, fidelity_run, tmp_path):
    read = read_model(model)
    assert read.predicts_error and (model / "models" / "error.safetensors").stat().st_size < 100_000
    export_bundle(fidelity_run / "checkpoint.pt", model, "The same weights", "in no time")
    assert read_model(model).predicts_error
    state = read_checkpoint(fidelity_run / "checkpoint.pt")
    state["average"] = {name: value + 0.1 for name, value in state["average"].items()}
    torch.save(state, tmp_path / "other.pt")
    export_bundle(tmp_path / "other.pt", model, "Other weights", "in no time")
    assert not read_model(model).predicts_error and not (model / "models" / "error.safetensors").exists()


def test_a_checkpoint_without_a_head_is_refused(model, fidelity_run):
    with pytest.raises(ValueError, match="holds no error head"):
        export_error_head(fidelity_run / "checkpoint.pt", model, "in no time")


def test_a_calibration_makes_the_validation_volumes_covered_as_is_said(model, data):
    calibrate(model, data, data / "datalist.json", slices=2)
    block = json.loads((model / "configs" / "metadata.json").read_text())["super_resolution"]["error_calibration"]
    assert block["noise_percent"] == sorted(block["noise_percent"])
    for level in range(len(block["noise_percent"])):
        multiples = [row[level] for row in block["multiples"].values()]
        assert multiples == sorted(multiples) and multiples[0] > 0
    assert read_model(model).error_calibration.described() == block


def sample(random, noise, degradation, size=20_000):
    """An error that a Laplace distribution of scale 1 to 3 gave, of which the head's answer grows as the square."""
    scale = random.uniform(1, 3, size)
    return ErrorSample("scan", degradation, noise, np.abs(random.laplace(0, scale)), UNIT * scale**2, scale)


def test_the_multiples_are_the_quantiles_of_the_error_at_each_level_of_noise():
    random = np.random.default_rng(0)
    samples = [sample(random, 0.001, "area"), sample(random, 0.003, "kspace"), sample(random, 0.02, "kspace-noise")]
    exponent = exponent_of(samples)
    assert exponent == pytest.approx(0.5, abs=0.03)
    samples = [replace(each, expected=UNIT * (each.expected / UNIT) ** exponent) for each in samples]
    samples.append(
        ErrorSample("scan", "kspace-noise5", 0.05, samples[2].error * 2, samples[2].expected, samples[2].error)
    )
    calibration = calibration_of(
        samples,
        plain(exponent, 1.0),
        [ErrorSample("scan", "kspace", 0.003, samples[1].error * 3, *2 * [samples[1].expected])],
    )
    assert (calibration.exponent, calibration.level_exponent) == (exponent, 1.0)
    assert calibration.noise == pytest.approx((0.002, 0.02, 0.05))
    for percent, row in calibration.multiples.items():
        expected = -np.log(1 - percent / 100) / UNIT
        assert row == pytest.approx((expected, expected, 2 * expected), rel=0.06)
    assert calibration.perceptual == pytest.approx(3, rel=0.06)
    covered = (samples[2].error <= calibration.multiples[ONE_SD][1] * samples[2].expected).mean()
    assert covered == pytest.approx(0.6827, abs=0.01)


def test_the_table_has_a_row_for_each_degradation_and_names_the_worst_scan():
    random = np.random.default_rng(0)
    within = {"50": 0.7, "80": 1.6, "95": 3.0}
    records = [record_of(replace(sample(random, 0.01, name), within=within)) for name in ("area", "area", "kspace")]
    records[1]["covered"]["95"], records[1]["scan"] = 12.3, "worst.nii.gz"
    table = table_of(records)
    assert table.count("\n| area") == 1 and "12.3 (worst)" in table and "\n| kspace" in table
    assert 0.2 < records[0]["rank_correlation"] < 0.5 and records[0]["local_rank_correlation"] == 1


def test_a_head_is_as_small_as_a_model_folder_can_bear():
    assert sum(weight.numel() for weight in new_error_head(CompactNet(4)).parameters()) < 50_000
