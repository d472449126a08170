"""Voxels that lie so far beyond all others that nothing was measured there."""

import numpy as np
import pytest

from SuperResolutionLib.acquisition.outliers import outliers_of
from SuperResolutionLib.acquisition.survey import survey
from SuperResolutionLib.geometry.volume import Volume

SHAPE = (5, 40, 44)


@pytest.fixture(scope="module")
def parametric(make_phantom):
    """A map from 0 to about 2."""
    return make_phantom(SHAPE, np.float64).voxels / 500


@pytest.mark.parametrize("size", [1e5, 1e12, 1e30, 1e300])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_voxel_far_beyond_all_others_is_an_outlier_and_its_neighbour_is_seen(parametric, size, sign):
    voxels = parametric.copy()
    voxels[1, 20, 20], voxels[3, 5, 40] = sign * size, size
    seen = survey(Volume(voxels, np.eye(4)))
    np.testing.assert_array_equal(np.argwhere(seen.absent.outliers), [[1, 20, 20], [3, 5, 40]])
    assert (seen.absent.padding_percent, seen.absent.padding_sentence) == (0, "")
    assert seen.absent.outlier_sentence.startswith("2 voxels lie")
    assert seen.modality is None and seen.magnitude
    assert seen.seen.voxels[1, 20, 20] in voxels[1, [19, 20, 20, 21], [20, 19, 21, 20]]
    assert seen.stored.scale.high < 2.5


def test_outliers_are_found_where_nearly_all_is_0():
    voxels = np.zeros((8, 48, 48), np.float32)
    voxels[3, 20:29, 20:28] = np.random.default_rng(0).uniform(0.5, 2, (9, 8))
    assert outliers_of(voxels) is None
    voxels[3, 20, 20], voxels[5, 1, 1] = 1e12, -1e12
    np.testing.assert_array_equal(np.argwhere(outliers_of(voxels)), [[3, 20, 20], [5, 1, 1]])


def test_outliers_and_padding_are_told_apart(parametric):
    voxels = (1000 * parametric).astype(np.float32)
    voxels[:, :4] = -np.finfo(np.float32).max
    voxels[2, 20, 20] = 1e20
    seen = survey(Volume(voxels, np.eye(4), "MR"))
    np.testing.assert_array_equal(np.argwhere(seen.absent.outliers), [[2, 20, 20]])
    assert seen.absent.mask.sum() == 1 + voxels[:, :4].size
    assert seen.absent.padding_percent == pytest.approx(10)
    assert seen.seen.voxels.max() < 2500 and seen.seen.voxels.min() >= 0


@pytest.mark.parametrize("far", [30, 300, 3000])
def test_what_is_bright_but_may_have_been_measured_is_no_outlier(parametric, far):
    voxels = parametric.copy()
    voxels[2, 20, 20] = far * voxels.max()
    assert outliers_of(voxels) is None


def test_one_voxel_alone_or_a_constant_has_no_outliers():
    voxels = np.zeros(SHAPE, np.float32)
    assert outliers_of(voxels) is None
    voxels[2, 2, 2] = 1e30
    assert outliers_of(voxels) is None
