"""The 8-bit convolution of oneDNN: exact sums, its traps, and what is done where it is missing."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from SuperResolutionLib.models.precision import onednn
from SuperResolutionLib.models.precision.onednn import PackedConvolution, largest_weight, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is one")


@pytest.mark.parametrize("zero", [0, 77, 255])
@pytest.mark.parametrize(
    "geometry", [{"padding": 1}, {"padding": 3, "dilation": 3}, {"padding": (1, 2), "kernel_size": (3, 5)}], ids=str
)
def test_it_is_the_convolution_of_the_integers_and_pads_with_zero(zero, geometry):
    convolution = torch.nn.Conv2d(64, 48, **{"kernel_size": 3, **geometry})
    weight = torch.randint(-largest_weight(), largest_weight() + 1, convolution.weight.shape).float()
    weight[:, 0, 0, 0] = largest_weight()
    weight *= torch.linspace(0.01, 3, 48)[:, None, None, None]
    steps = torch.randint(0, 256, (2, 64, 17, 23)).to(torch.uint8).contiguous(memory_format=torch.channels_last)
    bias = torch.randn(48)
    packed = PackedConvolution(convolution, weight, bias, zero, largest_weight())
    places = (convolution.padding, convolution.dilation)
    exact = F.conv2d(steps.double() - zero, weight.double(), bias.double(), 1, *places)
    torch.testing.assert_close(packed(steps).double(), exact, rtol=1e-5, atol=1e-5 * float(exact.abs().max()))


def test_weights_are_as_large_as_the_sums_stay_exact():
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    program = "from SuperResolutionLib.models.precision.onednn import largest_weight; print(largest_weight())"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("no AVX2 to be limited to")
    assert done.stdout.strip() == "63"


@pytest.mark.parametrize(
    "there, reason",
    [
        (SimpleNamespace(), "this PyTorch has no 8-bit convolution"),
        (
            SimpleNamespace(qconv2d_pointwise=SimpleNamespace(default=SimpleNamespace(_schema="qconv2d(Tensor)"))),
            "the 8-bit convolution of this PyTorch takes other arguments",
        ),
    ],
)
def test_where_it_is_missing_or_another_one_that_is_said(monkeypatch, there, reason):
    monkeypatch.setattr(torch.ops, "onednn", there, raising=False)
    assert why_not() == reason


def test_where_it_does_not_run_that_is_said(monkeypatch):
    def fails():
        raise RuntimeError("could not create a primitive\nmore")

    monkeypatch.setattr(onednn, "largest_weight", fails)
    assert why_not() == "the 8-bit convolution of this PyTorch does not run here (could not create a primitive)"
