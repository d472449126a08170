"""The optimiser: kernels step along orthogonal matrices, everything else as with Adam."""

import pytest
import torch
from torch import nn

from Training.losses.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(16, 16), (8, 200), (200, 8)])
def test_an_orthogonalised_matrix_has_the_same_singular_vectors_and_values_near_one(shape):
    other, matrix = torch.randn((2, *shape), generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalised(torch.stack([1000 * other, matrix]))[1]
    inside = left.T @ result @ right.T
    spectrum = inside.diagonal()
    assert (inside - spectrum.diag()).abs().max() < 1e-3
    assert (result - left @ spectrum.diag() @ right).abs().max() < 1e-3
    large = values > 0.01 * values.max()
    assert spectrum[large].min() > 0.6 and spectrum.max() < 1.3


def test_a_step_of_a_kernel_is_orthogonal_and_as_large_as_one_of_adam():
    kernel = nn.Parameter(torch.zeros(8, 16, 3, 3))
    kernel.grad = torch.randn(kernel.shape, generator=torch.Generator().manual_seed(1))
    Muon([kernel], lr=1.0).step()
    values = torch.linalg.svdvals(kernel.detach().flatten(1))
    assert values.max() < 2 * values.min()
    assert kernel.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.15)


def test_kernels_of_one_shape_step_as_each_would_alone():
    random = torch.Generator().manual_seed(4)
    gradients = torch.randn(3, 8, 4, 3, 3, generator=random) * torch.tensor([1.0, 100.0, 0.01]).view(3, 1, 1, 1, 1)
    together = [nn.Parameter(torch.zeros(8, 4, 3, 3)) for _ in gradients]
    for kernel, gradient in zip(together, gradients):
        kernel.grad = gradient
    Muon(together, lr=0.1).step()
    for kernel, gradient in zip(together, gradients):
        alone = nn.Parameter(torch.zeros(8, 4, 3, 3))
        alone.grad = gradient
        Muon([alone], lr=0.1).step()
        torch.testing.assert_close(kernel, alone)


def test_a_step_goes_downhill_whatever_the_memory_format():
    random = torch.Generator().manual_seed(2)
    gradient = torch.randn(8, 4, 3, 3, generator=random)
    kernels = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        kernel = nn.Parameter(torch.zeros(8, 4, 3, 3).to(memory_format=memory_format))
        kernel.grad = gradient.to(memory_format=memory_format)
        Muon([kernel], lr=0.1).step()
        assert (kernel * gradient).sum() < 0
        kernels.append(kernel)
    torch.testing.assert_close(kernels[0], kernels[1])


def test_biases_and_kernels_of_one_channel_step_as_with_adam():
    random = torch.Generator().manual_seed(3)
    start = [torch.randn(shape, generator=random) for shape in ((6,), (6, 1, 3, 3), (4, 6))]
    ours, theirs = ([nn.Parameter(value.clone()) for value in start] for _ in range(2))
    optimisers = Muon(ours, lr=0.01, betas=(0.8, 0.95)), torch.optim.Adam(theirs, lr=0.01, betas=(0.8, 0.95))
    for _ in range(5):
        for own, other in zip(ours, theirs):
            own.grad = torch.randn(own.shape, generator=random)
            other.grad = own.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    for own, other in zip(ours, theirs):
        torch.testing.assert_close(own, other)


def test_a_resumed_optimiser_steps_as_an_unbroken_one():
    random = torch.Generator().manual_seed(5)
    gradients = [torch.randn(4, 4, 3, 3, generator=random) for _ in range(4)]

    def steps(kernel, optimiser, some):
        for gradient in some:
            kernel.grad = gradient.clone()
            optimiser.step()

    whole = nn.Parameter(torch.ones(4, 4, 3, 3))
    unbroken = Muon([whole], lr=0.1)
    steps(whole, unbroken, gradients)
    first = nn.Parameter(torch.ones(4, 4, 3, 3))
    broken = Muon([first], lr=0.1)
    steps(first, broken, gradients[:2])
    second = nn.Parameter(first.detach().clone())
    resumed = Muon([second], lr=0.1)
    resumed.load_state_dict(broken.state_dict())
    steps(second, resumed, gradients[2:])
    assert torch.equal(whole, second)
