"""Muon, the optimiser of stage 1, for networks of convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

# The quintic of Jordan et al.: five steps bring every singular value to between about 0.7 and 1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)
QUINTIC_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are made orthogonal for the kernels of convolutions, and Adam for all other parameters.

    A kernel ``(out, in, height, width)`` is a matrix of ``out`` rows. Its momentum's singular values are brought near
    1, so that directions that get small gradients learn as fast as the others (Jordan et al. 2024, "Muon: An optimizer
    for hidden layers in neural networks"), and the step is scaled to the size of Adam's, so that learning rates can be
    Adam's (Liu et al. 2025, "Muon is Scalable for LLM Training"). PyTorch's own ``torch.optim.Muon`` takes matrices
    only. Kernels with one input channel, whose rows are few pixels, are left to Adam.

    Args:
        params: as any optimiser's. lr: the learning rate of both rules. momentum: of the kernels (Nesterov's).
        betas: of Adam.
    """

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
    ):
        super().__init__(params, {"lr": lr, "momentum": momentum, "betas": tuple(betas)})

    @torch.no_grad()
    def step(self, closure: Callable[[], torch.Tensor] | None = None) -> torch.Tensor | None:
        """Take one step; ``closure`` computes the gradients anew, where it is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim == 4 and parameter.shape[1] > 1:
                    self._step_kernel(parameter, group["lr"], group["momentum"])
                else:
                    self._step_adam(parameter, group["lr"], *group["betas"])
        return loss

    def _step_kernel(self, kernel: torch.nn.Parameter, rate: float, momentum: float) -> None:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        average = state["momentum"].lerp_(kernel.grad, 1 - momentum)
        matrix = kernel.grad.lerp(average, momentum).flatten(1)
        step = orthogonalised(matrix)
        kernel.sub_(step.view(kernel.shape), alpha=0.2 * rate * max(matrix.shape) ** 0.5)

    def _step_adam(self, parameter: torch.nn.Parameter, rate: float, first: float, second: float) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=torch.tensor(0), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        mean = state["mean"].lerp_(parameter.grad, 1 - first)
        square = state["square"].lerp_(parameter.grad.square(), 1 - second)
        step = state["step"].item()
        deviation = (square / (1 - second**step)).sqrt_().add_(1e-8)
        parameter.addcdiv_(mean, deviation, value=-rate / (1 - first**step))


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """Return ``matrix`` with singular values between about 0.7 and 1.2, by Newton-Schulz iterations."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(QUINTIC_STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
