#!/usr/bin/env bash
# MONAI's default adversarial loss sends the discriminator's output through a LeakyReLU first.
#
# Expected: criterion="least_squares", the default, is (D(x) - 1)^2 on the raw output, as in least-squares GANs: the
#           further from 1, the stronger the pull.
# Happens:  the output passes a LeakyReLU of slope 0.05. At D(x) = -3 the generator's gradient is 0.115 instead of 8.
#           The loss is the stated one only with no_activation_leastsq=True.
# Version:  MONAI 1.6.1 (PatchAdversarialLoss).
# Matters:  a discriminator that is sure of its fakes hardly teaches the generator, as if the adversarial weight were 70
#           times too small; a weight taken from the literature does not carry over.
# Instead:  PatchAdversarialLoss(criterion="least_squares", no_activation_leastsq=True).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment monai==1.6.1 torch==2.13.0 numpy==2.4.6
observe <<'PYTHON'
import math

import torch
from finding import report
from monai.losses import PatchAdversarialLoss


def loss_and_gradient(**options):
    output = torch.tensor([[-3.0]], requires_grad=True)  # a fake that the discriminator is sure of
    loss = PatchAdversarialLoss(**options)(output, target_is_real=True, for_discriminator=False)
    loss.backward()
    return round(loss.item(), 4), round(output.grad.item(), 4)


default, raw = loss_and_gradient(), loss_and_gradient(no_activation_leastsq=True)
report(
    "monai torch",
    "loss (-3 - 1)^2 = 16, gradient 2 (-3 - 1) = -8",
    f"loss {default[0]}, gradient {default[1]} by default; {raw[0]}, {raw[1]} with no_activation_leastsq=True",
    math.isclose(default[0], 1.3225) and math.isclose(default[1], -0.115) and raw == (16, -8),
)
PYTHON
