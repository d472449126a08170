"""oneDNN's convolution of 8-bit integers, which PyTorch carries for its own compiler."""

from __future__ import annotations

import functools

import torch
from torch import nn

SCHEMA = (
    "onednn::qconv2d_pointwise(Tensor qx, float x_scale, int x_zero_point, Tensor qw, Tensor w_scale, Tensor"
    " w_zero_point, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups, float output_scale, int"
    " output_zero_point, ScalarType? output_dtype, str attr, Scalar?[] scalars, str? algorithm) -> Tensor"
)
"""The one whose behaviour is known. PyTorch up to 2.5 had its arguments in another order."""
EIGHT_BITS, SEVEN_BITS = 127, 63


def why_not() -> str:
    """Return why the convolution cannot be used here, in words; "" where it can."""
    try:
        schema = str(torch.ops.onednn.qconv2d_pointwise.default._schema)
    except (AttributeError, RuntimeError):
        return "this PyTorch has no 8-bit convolution"
    if schema != SCHEMA:
        return "the 8-bit convolution of this PyTorch takes other arguments"
    try:
        largest_weight()
    except RuntimeError as error:
        return f"the 8-bit convolution of this PyTorch does not run here ({str(error).splitlines()[0]})"
    return ""


@functools.cache
def largest_weight() -> int:
    """Return the magnitude up to which integer weights give exact sums here: 127, or 63.

    Without VNNI oneDNN adds two products in 16 bits, which full weights on a bright image overflow in silence. That is
    tried, as no flag of the processor tells which instructions oneDNN takes.

    Raises:
        RuntimeError: the convolution does not run here.
    """
    with torch.random.fork_rng(devices=[]):  # its first weights, which nobody uses, are random
        convolution = nn.Conv2d(64, 64, 3, padding=1)
    weight = torch.full((64, 64, 3, 3), float(EIGHT_BITS))
    bright = torch.full((1, 64, 8, 8), 255, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    answer = PackedConvolution(convolution, weight, torch.zeros(64), zero=0, largest=EIGHT_BITS)(bright)
    exact = 255.0 * EIGHT_BITS * weight[0].numel()
    return EIGHT_BITS if abs(float(answer[0, 0, 4, 4]) / exact - 1) < 1e-4 else SEVEN_BITS


class PackedConvolution:
    """A convolution with 8-bit weights, each output channel with a scale of its own, from uint8 to float32.

    Args:
        like: whose stride, padding, dilation and groups are taken.
        weight: ``(out, in, kh, kw)`` float32, for an image that counts in steps from ``zero``. bias: ``(out,)``.
        zero: the step that means 0, which pads the image, too.
        largest: of the integer weights, as of ``largest_weight``.
    """

    def __init__(self, like: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor | None, zero: int, largest: int):
        self._geometry = (list(like.stride), list(like.padding), list(like.dilation), like.groups)
        self._zero, self._bias = zero, bias
        self._scales = (weight.abs().amax((1, 2, 3)) / largest).clamp(min=1e-30)
        self._no_zeros = torch.zeros(len(weight), dtype=torch.int32)
        integers = (weight / self._scales[:, None, None, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qconv_prepack(integers, self._scales, 1.0, zero, *self._geometry, None)

    def __call__(self, steps: torch.Tensor) -> torch.Tensor:
        """Return ``(N, out, H, W)`` float32 of ``(N, in, H, W)`` uint8, both with their channels last in memory."""
        weight = (self._weight, self._scales, self._no_zeros, self._bias)
        # Scale and zero of a float32 answer, and nothing that is done to it.
        answer = (1.0, 0, torch.float32, "none", (), "")
        return torch.ops.onednn.qconv2d_pointwise(steps, 1.0, self._zero, *weight, *self._geometry, *answer)
