"""What runs fastest on each kind of device, and that it is measured once."""

import time

import pytest
import torch

from SuperResolutionLib.models.networks import CompactNet, RRDBNet
from SuperResolutionLib.models.precision import choice, fastest_precision, onednn, remembered

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def empty_memory(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_cuda_runs_in_float16_and_apple_in_float32():
    assert fastest_precision(CompactNet(2), torch.device("cuda:0")).precision == "float16"
    assert fastest_precision(CompactNet(2), torch.device("mps")).precision == "float32"


@pytest.mark.parametrize(
    "seconds, precision, otherwise",
    [
        ({"float32": 1.0, "int8": 0.4, "bfloat16": 12.0}, "int8", "float32"),
        ({"float32": 1.0, "int8": 0.4, "bfloat16": 0.5}, "int8", "bfloat16"),
        ({"float32": 1.0, "int8": 0.5, "bfloat16": 0.5}, "bfloat16", "bfloat16"),
        ({"float32": 1.0, "int8": 2.0, "bfloat16": 0.9}, "float32", "float32"),
        ({"float32": 1.0, "bfloat16": 0.5}, "bfloat16", "bfloat16"),
    ],
)
def test_the_cpu_runs_in_what_is_clearly_the_fastest(monkeypatch, seconds, precision, otherwise):
    monkeypatch.setattr(choice, "_seconds", lambda convolution, floats_only: seconds)
    chosen = fastest_precision(CompactNet(2), CPU)
    assert (chosen.precision, chosen.otherwise) == (precision, otherwise)


def test_where_int8_is_missing_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(onednn, "why_not", lambda: "this PyTorch has no 8-bit convolution")
    chosen = fastest_precision(CompactNet(2), CPU)
    assert chosen.precision in ("float32", "bfloat16")
    assert chosen.because == "int8 cannot be had: this PyTorch has no 8-bit convolution"


def test_it_is_measured_once_for_a_kind_of_network_and_then_remembered(monkeypatch, empty_memory):
    calls = []

    def measured(convolution, floats_only):
        calls.append(tuple(convolution.weight.shape))
        return {"float32": 1.0, "bfloat16": 2.0}

    monkeypatch.setattr(choice, "_seconds", measured)
    for network in (CompactNet(2), CompactNet(4, blocks=2), RRDBNet(2, 32, 16, 1, "plain", "subpixel")):
        fastest_precision(network, CPU)
    assert calls == [(64, 64, 3, 3), (32, 96, 3, 3)]
    monkeypatch.setattr(torch, "__version__", "9.9")
    fastest_precision(CompactNet(2), CPU)
    assert len(calls) == 3
    (empty_memory / "SuperResolution" / "precision.json").write_text("{broken")
    fastest_precision(CompactNet(2), CPU)
    assert len(calls) == 4


def test_a_folder_that_cannot_be_written_is_no_trouble(monkeypatch, empty_memory):
    (empty_memory / "SuperResolution").write_text("a file where the folder would be")
    monkeypatch.setattr(choice, "_seconds", lambda convolution, floats_only: {"float32": 1.0, "bfloat16": 0.1})
    assert fastest_precision(CompactNet(2), CPU).precision == "bfloat16"
    assert remembered.remembered("anything") is None


@pytest.mark.parametrize(
    "network", [CompactNet(2), RRDBNet(2, 64, 32, 1, "plain", "subpixel")], ids=["compact", "RRDB"]
)
def test_measuring_takes_no_more_than_a_tenth_of_a_second(network):
    convolution = choice._most_laborious(network)
    choice._seconds(convolution, False)
    taken = []
    for _ in range(3):
        began = time.process_time()
        choice._seconds(convolution, False)
        taken.append(time.process_time() - began)
    assert min(taken) < 0.1 * torch.get_num_threads()


def test_a_precision_whose_first_call_is_hopeless_is_not_called_again():
    calls = []
    choice._fastest_call(lambda: calls.append(time.sleep(0.01)), 0.001)
    assert len(calls) == 1


def test_measuring_draws_no_random_numbers_and_leaves_the_network_alone():
    network = CompactNet(2)
    before, state = network.body[0].first.weight.clone(memory_format=torch.preserve_format), torch.get_rng_state()
    fastest_precision(network, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network.body[0].first.weight, before)
    assert network.body[0].first.weight.stride() == before.stride()
