"""Kernels have the width that they are made of, and a free one starts as the one that was fitted."""

import pytest
import torch

from Training.degradation.learned.kernels import UnimodalKernel, full_width, gaussian_taps

FACTOR = 2


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_refined_kernel_starts_as_the_fitted_one_for_even_and_odd_factors(factor):
    kernel = torch.stack([gaussian_taps(1.0, factor), gaussian_taps(1.5, factor)])
    torch.testing.assert_close(UnimodalKernel(kernel)().detach(), kernel, atol=0.01, rtol=0)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_width_of_a_gaussian_is_its_fwhm(factor):
    assert full_width(gaussian_taps(1.5, factor)) == pytest.approx(1.5 * factor, rel=0.01)
