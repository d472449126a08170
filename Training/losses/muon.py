"""Muon, the optimiser of stage 1, for networks of convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch.optim.adam import adam

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
            kernels: dict[torch.Size, list[torch.nn.Parameter]] = {}
            others = []
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim == 4 and parameter.shape[1] > 1:
                    kernels.setdefault(parameter.shape, []).append(parameter)
                else:
                    others.append(parameter)
            for alike in kernels.values():
                self._step_kernels(alike, group["lr"], group["momentum"])
            self._step_adam(others, group["lr"], *group["betas"])
        return loss

    def _step_kernels(self, kernels: list[torch.nn.Parameter], rate: float, momentum: float) -> None:
        matrices = []
        for kernel in kernels:
            state = self.state[kernel]
            if not state:
                state["momentum"] = torch.zeros_like(kernel)
            average = state["momentum"].lerp_(kernel.grad, 1 - momentum)
            matrices.append(kernel.grad.lerp(average, momentum).flatten(1))
        # All at once: each of the many small products would cost a GPU more to start than to compute.
        steps = orthogonalised(torch.stack(matrices))
        for kernel, step in zip(kernels, steps):
            kernel.sub_(step.view(kernel.shape), alpha=0.2 * rate * max(step.shape) ** 0.5)

    def _step_adam(self, parameters: list[torch.nn.Parameter], rate: float, first: float, second: float) -> None:
        states = [self.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states):
            if not state:
                state.update(
                    step=torch.tensor(0.0), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter)
                )
        adam(
            parameters,
            [parameter.grad for parameter in parameters],
            *([state[name] for state in states] for name in ("mean", "square")),
            max_exp_avg_sqs=[],
            state_steps=[state["step"] for state in states],
            amsgrad=False,
            beta1=first,
            beta2=second,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """Return ``(N, rows, columns)`` with singular values between about 0.7 and 1.2, by Newton-Schulz iterations."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(QUINTIC_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
