"""A network made ready for a precision: it is checked, and says what it runs in."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from SuperResolutionLib.models.networks import CompactNet
from SuperResolutionLib.models.precision import PreparedNetwork
from SuperResolutionLib.models.precision.onednn import why_not

CPU = torch.device("cpu")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
IMAGE = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
needs_int8 = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is one")


def network():
    torch.manual_seed(0)
    return CompactNet(2, 32, 1).eval()


@needs_int8
def test_it_answers_like_the_network_in_every_precision():
    with torch.inference_mode():
        exact = network()(IMAGE)
        for precision in ("float32", "bfloat16", "int8"):
            prepared = PreparedNetwork(network(), CPU, precision, lambda call: call(IMAGE))
            answer = prepared(IMAGE)
            assert (prepared.precision, prepared.reason, answer.dtype) == (precision, "", torch.float32)
            assert ((answer - exact).abs().max() < 1e-5) == (precision == "float32")
            torch.testing.assert_close(answer, exact, atol=0.02, rtol=0)


@needs_int8
def test_a_network_that_8_bits_would_change_too_much_runs_in_floating_point_and_says_why():
    sharp = network()
    sharp.tail.weight.data.mul_(1000)
    prepared = PreparedNetwork(sharp, CPU, "int8", lambda call: call(IMAGE), otherwise="float32")
    assert prepared.precision == "float32"
    assert "% of the intensity range" in prepared.reason
    with torch.inference_mode():
        torch.testing.assert_close(prepared(IMAGE), sharp(IMAGE), atol=0.01, rtol=0)


def test_eight_bits_without_anything_to_see_are_refused():
    with pytest.raises(ValueError, match="scales"):
        PreparedNetwork(network(), CPU, "int8")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library for memory")
def test_tensors_take_hardly_any_memory_anew_from_the_system_once_a_network_is_prepared():
    """In a process of its own, as any large tensor that another test freed would hide it.

    Tensors of one size, as a network's own leave gaps that differ from one CPU's kernels to another's.
    """
    program = (
        "import resource, torch\n"
        "from SuperResolutionLib.models.networks import CompactNet\n"
        "from SuperResolutionLib.models.precision import PreparedNetwork\n"
        "PreparedNetwork(CompactNet(2, 8, 1).eval(), torch.device('cpu'))\n"
        "faults = []\n"
        "for _ in range(8):\n"
        "    [torch.ones(2**20) for _ in range(4)]\n"
        "    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)\n"
        "print(faults[-1] - faults[-5])\n"
    )
    faults = int(subprocess.check_output([sys.executable, "-c", program], text=True, env=ENVIRONMENT))
    assert faults < 8192  # half of the pages that the tensors take; without it mostly all of them, else none
