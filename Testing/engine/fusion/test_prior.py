"""What is expected before any stack is held to."""

import numpy as np
import pytest

from SuperResolutionLib.fusion.prior import Answer, prior_of
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import Volume

NORMALS = np.eye(3)[[1, 0]]
INSIDE = (slice(12, -12),) * 3


def _expected(truth, others, all_detail=False):
    answers = [
        Answer(Volume((truth.voxels + other).astype(np.float32), truth.ijk_to_ras, "MR"), normal, 4.0)
        for other, normal in zip(others, NORMALS)
    ]
    return prior_of(answers, Grid.of(truth), 1000.0, all_detail=all_detail).mean.numpy()


def test_scans_that_agree_keep_all_their_detail(truth):
    left = (_expected(truth, (0, 0)) - truth.voxels)[INSIDE]
    assert left.std() < 0.03 * truth.voxels[INSIDE].std()


@pytest.mark.parametrize("deviation", [100, 300])
def test_detail_in_which_scans_do_not_agree_is_held_back(truth, deviation):
    random = np.random.default_rng(0)
    others = random.normal(0, deviation, (2, *truth.voxels.shape))
    errors = [
        (image - truth.voxels)[INSIDE].std() for image in (_expected(truth, others), truth.voxels + others.mean(0))
    ]
    assert errors[0] < 0.9 * errors[1]


def test_detail_in_which_scans_do_not_agree_is_kept_where_that_is_wanted(truth):
    others = np.random.default_rng(0).normal(0, 300, (2, *truth.voxels.shape))
    held, all_of_it = (_expected(truth, others, wanted)[INSIDE].std() for wanted in (False, True))
    assert all_of_it > 1.1 * held
