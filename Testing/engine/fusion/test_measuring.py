import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SuperResolutionLib.fusion.measuring import Measuring, Sampling, quick_size, sinc_weights
from SuperResolutionLib.geometry.grid import Grid

FINE = Grid(np.eye(4), (36, 32, 40))
degrees = st.floats(-25, 25)


def stack_matrix(order=(1, 2, 0), signs=(1, -1, 1), steps=(1.1, 1.3, 4.0), start=(6.0, 5.0, 30.0)):
    matrix = np.zeros((4, 4))
    for axis, (world, sign, step) in enumerate(zip(order, signs, steps)):
        matrix[world, axis] = sign * step
    matrix[:, 3] = [*start, 1.0]
    return matrix


def about_the_middle(movement, turns):
    matrix = movement(turns)
    to_middle, back = np.eye(4), np.eye(4)
    to_middle[:3, 3], back[:3, 3] = 23.5 - np.array([17.5, 15.5, 19.5]), np.array([17.5, 15.5, 19.5]) - 23.5
    return back @ matrix @ to_middle


@settings(max_examples=8)
@given(turns=st.tuples(degrees, degrees, degrees))
def test_the_operator_and_its_adjoint_agree(movement, turns):
    matrix = about_the_middle(movement, turns) @ stack_matrix()
    measuring = Measuring(FINE, Sampling(Grid(matrix, (18, 16, 5)), 2, 4.0, (1.1, 1.3, 4.0)))
    random = torch.Generator().manual_seed(0)
    fine, measured = torch.randn(40, 32, 36, generator=random), torch.randn(5, 16, 18, generator=random)
    back = torch.zeros_like(fine)
    measuring.add_adjoint(measured, back)
    ours, theirs = measuring(fine).double(), fine.double()
    scale = float(ours.norm() * measured.double().norm())
    assert abs(float((ours * measured).sum() - (theirs * back).sum())) < 1e-5 * scale


@settings(max_examples=8)
@given(turns=st.tuples(degrees, degrees, degrees), flip=st.sampled_from([1, -1]))
def test_a_voxel_sees_what_lies_in_its_place_to_a_hundredth_of_a_millimetre(movement, turns, flip):
    # The place is the middle of what is measured of a Gaussian.
    matrix = about_the_middle(movement, turns) @ stack_matrix(
        (0, 1, 2), (1, 1, flip), (1.0, 1.0, 1.0), (8.0, 6.0, 20.0 - flip * 10)
    )
    grid = Grid(matrix, (20, 20, 20))
    places = np.stack(np.indices((40, 32, 36)), axis=-1)[..., ::-1] @ np.eye(3)
    middle = (matrix @ [9.5, 9.5, 9.5, 1.0])[:3]
    blob = np.exp(-((places - middle) ** 2).sum(axis=-1) / (2 * 3.0**2))
    seen = Measuring(FINE, Sampling(grid, 2, 1.0, (1.0, 1.0, 1.0)))(torch.from_numpy(blob).float()).double().numpy()
    weight = seen
    found = [float((weight * index).sum() / weight.sum()) for index in np.indices(seen.shape)]
    np.testing.assert_allclose(found, 9.5, atol=1e-2)


def test_a_slice_is_as_thick_as_it_is_said_to_be():
    plane = torch.zeros(40, 32, 36)
    plane[20] = 1
    matrix = stack_matrix((0, 1, 2), (1, 1, 1), (1.0, 1.0, 0.25), (8.0, 8.0, 12.0))
    profile = Measuring(FINE, Sampling(Grid(matrix, (8, 8, 64)), 2, 5.0, (1.0, 1.0, 0.25)))(plane)[:, 4, 4]
    above_half = int((profile > profile.max() / 2).sum()) * 0.25
    assert above_half == pytest.approx(5.0, abs=0.5)


def test_a_coarser_plane_is_taken_down_to_its_own_band():
    stripes = torch.cos(torch.pi * torch.arange(64, dtype=torch.float64))
    assert (sinc_weights(torch.arange(20, 40, 2.0, dtype=torch.float64), 64, 2.0) @ stripes).abs().max() < 0.02
    rows = sinc_weights(torch.tensor([10.3, 31.0], dtype=torch.float64), 64, 1.0)
    np.testing.assert_allclose(rows.sum(dim=1), 1)
    np.testing.assert_allclose(rows[1], np.eye(64)[31], atol=1e-12)


def test_quick_sizes_are_even_and_have_small_factors():
    assert [quick_size(size) for size in (1, 97, 128, 139, 251)] == [2, 100, 128, 144, 256]
