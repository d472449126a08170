"""Slices that are upscaled alone are those of the whole stack."""

import numpy as np
import pytest

from SuperResolutionLib.errors import Cancelled
from SuperResolutionLib.evaluation.scored_slices import upscale_every
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale


@pytest.mark.parametrize(("axis", "spacing"), [(2, (1, 1, 2.5)), (0, (2.5, 1, 1))])
@pytest.mark.parametrize("step", [1, 3])
def test_every_nth_slice_is_that_of_the_whole_stack_and_where_it_lies(make_phantom, axis, spacing, step):
    shape = [40, 36, 32]
    shape[2 - axis] = 7
    stack = Volume(make_phantom(tuple(shape)).voxels, np.diag([*spacing, 1.0]))
    factors = [4, 4, 4]
    factors[axis] = 1
    request = UpscaleRequest(tuple(factors), quality="fast", device="cpu")
    some, whole = upscale_every(stack, step, request), upscale(stack, request).volume
    picked = [slice(None)] * 3
    picked[2 - axis] = slice(None, None, step)
    np.testing.assert_array_equal(some.voxels, whole.voxels[tuple(picked)])
    np.testing.assert_allclose(some.ijk_to_ras[:, 3], whole.ijk_to_ras[:, 3], atol=1e-9)
    np.testing.assert_allclose(some.ijk_to_ras[:, axis], step * whole.ijk_to_ras[:, axis], atol=1e-9)


def test_it_stops_when_cancelled(make_phantom):
    stack = Volume(make_phantom((5, 24, 24)).voxels, np.diag([1.0, 1.0, 3.0, 1.0]))
    with pytest.raises(Cancelled):
        upscale_every(stack, 2, UpscaleRequest((4, 4, 1), quality="fast", device="cpu"), lambda: True)
