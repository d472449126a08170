"""What runs fastest on each kind of device."""

import pytest
import torch

from SuperResolutionLib.models.precision import fastest_precision


def test_cuda_runs_in_float16_and_apple_in_float32():
    assert fastest_precision(torch.device("cuda:0")) == torch.float16
    assert fastest_precision(torch.device("mps")) == torch.float32


@pytest.mark.parametrize("seconds, precision", [(0.5, torch.bfloat16), (0.9, torch.float32), (2.0, torch.float32)])
def test_the_cpu_runs_in_bfloat16_only_where_that_is_clearly_faster(monkeypatch, seconds, precision):
    ticks = iter([tick for duration in (1.0, seconds) for n in range(3) for tick in (10.0 * n, 10.0 * n + duration)])
    monkeypatch.setattr("SuperResolutionLib.models.precision.time.perf_counter", lambda: next(ticks))
    fastest_precision.cache_clear()
    try:
        assert fastest_precision(torch.device("cpu")) == precision
    finally:
        fastest_precision.cache_clear()
