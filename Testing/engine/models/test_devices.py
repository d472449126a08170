"""Which devices there are, and which one is chosen."""

import pytest
import torch

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.models.devices import available_devices, choose_device, slices_at_once


@pytest.fixture
def machine(monkeypatch):
    """The function that sets how many CUDA GPUs there seem to be, and whether there is an Apple one."""

    def pretend(gpus=0, apple=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: ((index + 1) * 2**30, 2**34))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU number {index}")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)

    return pretend


def test_without_a_gpu_there_is_the_cpu(machine):
    machine()
    assert [device.name for device in available_devices()] == ["cpu"]
    assert choose_device("auto").name == "cpu"
    assert "CPU" in choose_device("cpu").label


def test_gpus_come_first_with_their_names_and_free_memory(machine):
    machine(gpus=2)
    first, second, cpu = available_devices()
    assert (first.name, first.label, first.free_bytes) == ("cuda:0", "GPU number 0", 2**30)
    assert (second.name, second.free_bytes) == ("cuda:1", 2**31)
    assert cpu.name == "cpu"
    assert choose_device("auto") == choose_device("cuda") == choose_device("cuda:0") == first
    assert choose_device("cuda:1") == second
    assert choose_device("cpu") == cpu


def test_an_apple_gpu_is_chosen_by_itself(machine):
    machine(apple=True)
    assert choose_device("auto").name == choose_device("mps").name == "mps"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7", "mps", "gpu", "", "CPU0"])
def test_a_device_that_is_not_there_is_an_input_error_that_names_those_there_are(machine, name):
    machine()
    with pytest.raises(InputError, match="no device.*cpu") as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)


def test_a_gpu_computes_as_many_slices_together_as_its_free_memory_holds(machine):
    machine(gpus=2)
    small, large = (slices_at_once(choose_device(name), 256 * 256) for name in ("cuda:0", "cuda:1"))
    assert small == 4 and large == 8  # of 1 and of 2 GiB half, 2000 bytes a pixel
    assert slices_at_once(choose_device("cuda:0"), 4096 * 4096) == 1
    assert slices_at_once(choose_device("cuda:1"), 16 * 16) == 32
    assert slices_at_once(choose_device("cpu"), 16 * 16) == 1
    machine(apple=True)
    assert slices_at_once(choose_device("mps"), 256 * 256) == 8  # its free memory is not known
