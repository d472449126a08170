"""A network whose wide convolutions run in 8-bit integers, and all else in float32."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from ..networks.rrdb import DenseBlock
from .onednn import PackedConvolution, largest_weight
from .steps import in_steps, shared_zero

FEWEST_WEIGHTS = 9 * 32 * 32
"""A convolution of fewer stays float32: the first one, whose errors all that follows shows, and others that take no
time."""

Ranges = dict[nn.Module, tuple[torch.Tensor, torch.Tensor]]
"""The lowest and the highest value of each channel that a convolution has seen, both ``(in,)``."""


def wide_convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """Return the convolutions of a network that can run in 8 bits."""
    return [
        module
        for module in network.modules()
        if type(module) is nn.Conv2d
        and module.weight.numel() >= FEWEST_WEIGHTS
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    ]


def in_int8(network: nn.Module, show: Callable[[nn.Module], object]) -> nn.Module:
    """Return a copy of ``network``, which is float32 and on the CPU, whose wide convolutions run in 8 bits.

    Args:
        show: calls the network that it is given with what it will see. What its convolutions see there sets the scales
            of their inputs; beyond, these are clamped.
    """
    changed = copy.deepcopy(network)
    _replace(changed, _seen(changed, show))
    return changed


def _seen(network: nn.Module, show: Callable[[nn.Module], object]) -> Ranges:
    ranges: Ranges = {}

    def see(convolution: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        lowest, highest = inputs[0].amin((0, 2, 3)), inputs[0].amax((0, 2, 3))
        if convolution in ranges:
            lowest = torch.minimum(lowest, ranges[convolution][0])
            highest = torch.maximum(highest, ranges[convolution][1])
        ranges[convolution] = lowest, highest

    hooks = [convolution.register_forward_pre_hook(see) for convolution in wide_convolutions(network)]
    show(network)
    for hook in hooks:
        hook.remove()
    return ranges


def _replace(module: nn.Module, ranges: Ranges) -> None:
    for name, child in module.named_children():
        if type(child) is DenseBlock and all(convolution in ranges for convolution in child.convolutions):
            setattr(module, name, _DenseBlock(child, ranges))
        elif isinstance(child, nn.Conv2d) and child in ranges:
            setattr(module, name, _Convolution(child, ranges))
        else:
            _replace(child, ranges)


class _Convolution(nn.Module):
    """A convolution that takes float32, stores it in steps of one scale, and answers in float32."""

    def __init__(self, convolution: nn.Conv2d, ranges: Ranges):
        super().__init__()
        self._zero, (self._step,) = shared_zero([_extremes(*ranges[convolution])])
        weight = convolution.weight * self._step
        self._packed = PackedConvolution(convolution, weight, convolution.bias, self._zero, largest_weight())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._packed(in_steps(x.contiguous(memory_format=torch.channels_last), self._step, self._zero))


class _DenseBlock(nn.Module):
    """A ``DenseBlock`` that concatenates steps, each part of them of a scale of its own.

    Those scales are folded into the weights of what follows. With one scale for all parts an RRDB loses 0.04 dB.
    """

    def __init__(self, block: DenseBlock, ranges: Ranges):
        super().__init__()
        self._nested = block.dense == "nested"
        convolutions = [convolution for convolution in block.convolutions if isinstance(convolution, nn.Conv2d)]
        # The newest part is what a convolution sees last.
        parts = [ranges[convolutions[0]]]
        for before, after in zip(convolutions, convolutions[1:]):
            lowest, highest = ranges[after]
            parts.append((lowest[-before.out_channels :], highest[-before.out_channels :]))
        self._zero, self._steps = shared_zero([_extremes(*part) for part in parts])
        steps = [torch.full_like(lowest, step) for (lowest, _), step in zip(parts, self._steps)]
        self._packed, inputs, features = [], [steps[0]], steps[0]
        for number, convolution in enumerate(convolutions, start=1):
            last = number == len(convolutions)
            share = 0.2 if last else 1.0
            weight, bias = convolution.weight * features[:, None, None] * share, convolution.bias
            bias = None if bias is None else bias * share
            self._packed.append(PackedConvolution(convolution, weight, bias, self._zero, largest_weight()))
            if not last:
                features = torch.cat([*inputs, steps[number]])
                inputs.append(features if self._nested else steps[number])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = in_steps(x.contiguous(memory_format=torch.channels_last), self._steps[0], self._zero)
        inputs = [features]
        for convolution, step in zip(self._packed, self._steps[1:]):
            output = in_steps(F.leaky_relu(convolution(features), 0.2, inplace=True), step, self._zero)
            features = torch.cat([*inputs, output], dim=1)
            inputs = [*inputs, features] if self._nested else [features]
        return self._packed[-1](features).add_(x)


def _extremes(lowest: torch.Tensor, highest: torch.Tensor) -> tuple[float, float]:
    return float(lowest.min()), float(highest.max())
