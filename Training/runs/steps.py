"""What an iteration of either stage does besides its loss: the precision, the descent, the average of the weights."""

from __future__ import annotations

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn


def mixed_precision(device: torch.device, bfloat16: bool) -> torch.autocast:
    """Return the context for forward passes: bfloat16, whose range needs no loss scaling, or no change.

    Every GPU that trains gains by it; a CPU only if it multiplies bfloat16 natively (AVX-512 BF16, AMX).
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)


def descend(
    optimiser: torch.optim.Optimizer, loss: torch.Tensor, learning_rate: float, largest_gradient: float | None
) -> None:
    """Take one step down ``loss``, with the norm of the gradient clipped to ``largest_gradient``, unless it is None."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    if largest_gradient is not None:
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, largest_gradient)
    optimiser.step()


class WeightAverage:
    """The exponential moving average of a network's weights, which is what is validated and exported.

    Args:
        average: a copy of the network; it is changed.
        decay: share of the old average that is kept at every iteration, less in the first ones; 0 switches averaging
            off, so that the copy equals the network.
    """

    def __init__(self, average: torch.nn.Module, decay: float):
        self.average, self.decay = average, decay

    @torch.no_grad()
    def update(self, network: torch.nn.Module, iteration: int) -> None:
        """Move the average towards ``network`` (bare or in its data-parallel wrapper)."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        move = get_ema_multi_avg_fn(decay)  # in one call for all the parameters, of which each is small
        move(list(self.average.parameters()), list(network.parameters()), iteration)
