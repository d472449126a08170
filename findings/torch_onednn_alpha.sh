#!/usr/bin/env bash
# torch's 8-bit convolution with a sum ignores the sum's factor.
#
# Expected: torch.ops.onednn.qconv2d_pointwise.binary with "sum" takes alpha, so it gives other + alpha * convolution or
#           convolution + alpha * other, as torch.add does; or it refuses what it cannot do.
# Happens:  alpha is taken and has no effect: 1, 0.2 and 0 all give convolution + other.
# Version:  torch 2.13.0 on an x86-64 CPU (oneDNN).
# Matters:  residual scaling (0.2 in ESRGAN's blocks) silently becomes 1, and the values grow from block to block.
# Instead:  fold the factor into the weights' scales and the bias.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment torch==2.13.0 numpy==2.4.6
observe <<'PYTHON'
import torch
from finding import report

torch.manual_seed(0)
image = torch.randint(0, 200, (1, 4, 8, 8), dtype=torch.uint8).to(memory_format=torch.channels_last)
weight = torch.randint(-60, 60, (4, 4, 3, 3), dtype=torch.int8)
scale, zero, weight_scale, weight_zero = 0.02, 10, torch.full((4,), 0.01), torch.zeros(4, dtype=torch.int32)
ones = [1, 1]
packed = torch.ops.onednn.qconv_prepack(weight, weight_scale, scale, zero, ones, ones, ones, 1, None)
other = torch.full((1, 4, 8, 8), 100.0).to(memory_format=torch.channels_last)
convolution = torch.nn.functional.conv2d((image.float() - zero) * scale, weight.float() * 0.01, padding=1)


def added(alpha):
    result = torch.ops.onednn.qconv2d_pointwise.binary(
        image, scale, zero, packed, weight_scale, weight_zero, other.clone(), None, ones, ones, ones, 1,
        1.0, 0, torch.float32, 1.0, 0, "sum", alpha, "none", [], "",
    )  # fmt: skip
    return [round(x, 3) for x in ((result - convolution).min().item(), (result - convolution).max().item())]


seen = {alpha: added(alpha) for alpha in (1.0, 0.2, 0.0)}
report(
    "torch",
    "the sum less the plain convolution depends on alpha",
    "; ".join(f"alpha {alpha}: from {low} to {high}" for alpha, (low, high) in seen.items()),
    all(abs(x - 100) < 0.01 for pair in seen.values() for x in pair),
)
PYTHON
