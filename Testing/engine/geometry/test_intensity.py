"""Normalisation by the whole volume's robust range, and its inverse in every scalar type."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from SuperResolutionLib.geometry.intensity import IntensityScale, as_scalar_type


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint16, np.int8])
def test_the_whole_range_of_a_type_survives_exactly(dtype):
    limits = np.iinfo(dtype)
    voxels = np.arange(limits.min, limits.max + 1).astype(dtype)
    scale = IntensityScale.of(voxels)
    restored = as_scalar_type(scale.denormalise(scale.normalise(voxels)), dtype)
    assert restored.dtype == dtype
    np.testing.assert_array_equal(restored, voxels)


@given(st.sampled_from([np.int16, np.uint8, np.uint16]).flatmap(lambda t: arrays.arrays(t, st.integers(2, 300))))
def test_any_whole_numbers_survive_exactly(voxels):
    assume(voxels.min() < voxels.max())
    scale = IntensityScale.of(voxels)
    np.testing.assert_array_equal(as_scalar_type(scale.denormalise(scale.normalise(voxels)), voxels.dtype), voxels)


def test_a_lone_peak_far_above_the_robust_range_survives_exactly():
    voxels = np.zeros(100_000, np.int16)
    voxels[:2000] = np.arange(2000) % 3
    voxels[-1], voxels[-2] = 32767, -32768
    scale = IntensityScale.of(voxels)
    assert scale.high <= 2
    np.testing.assert_array_equal(as_scalar_type(scale.denormalise(scale.normalise(voxels)), np.int16), voxels)


def test_nothing_is_clipped_at_the_top_or_the_bottom():
    voxels = np.concatenate([np.linspace(0, 1000, 10_000), [-5000, 20_000]])
    scale = IntensityScale.of(voxels)
    normal = scale.normalise(voxels)
    assert normal.dtype == np.float32
    np.testing.assert_allclose(normal[-2:], (np.array([-5000, 20_000]) - scale.low) / scale.span, rtol=1e-6)
    np.testing.assert_allclose(scale.denormalise(normal), voxels, rtol=1e-5, atol=1e-3)


def test_the_robust_range_is_that_of_the_0_5th_and_99_5th_percentile_of_all_slices():
    volume = np.stack([np.linspace(0, 100 * (n + 1), 1000).reshape(20, 50) for n in range(5)])
    scale = IntensityScale.of(volume)
    ordered = np.sort(volume.ravel())
    assert scale.low == pytest.approx(ordered[25], abs=1)
    assert scale.high == pytest.approx(ordered[-26], abs=1)
    np.testing.assert_allclose(scale.normalise(np.array([scale.low, scale.high])), [0, 1])


def test_a_volume_that_is_nearly_all_air_is_scaled_by_its_full_range():
    voxels = np.zeros(100_000, np.float32)
    voxels[:10] = 7
    scale = IntensityScale.of(voxels)
    assert (scale.low, scale.high) == (0, 7)


def test_a_constant_volume_has_no_range():
    with pytest.raises(ValueError):
        IntensityScale.of(np.full((3, 3, 3), 4))


INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


@pytest.mark.parametrize("given_type", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_rounded_and_clamped_to_their_limits(dtype, given_type):
    limits = np.iinfo(dtype)
    result = as_scalar_type(np.array([2.4, 2.6, limits.min, limits.max, -1e30, 1e30], given_type), dtype)
    assert result.dtype == dtype
    assert list(result) == [2, 3, limits.min, limits.max, limits.min, limits.max]


@given(
    st.sampled_from(INTEGERS),
    st.sampled_from([np.float32, np.float64]),
    st.lists(st.floats(-(2.0**66), 2.0**66, width=32), min_size=1, max_size=20),
)
def test_no_float_wraps_in_an_integer_type(dtype, given_type, numbers):
    values, limits = np.array(numbers, given_type), np.iinfo(dtype)
    wanted = [min(max(round(float(value)), limits.min), limits.max) for value in values]
    assert as_scalar_type(values, dtype).tolist() == wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_fractions(dtype):
    np.testing.assert_array_equal(as_scalar_type(np.array([0.25, -1e6]), dtype), np.array([0.25, -1e6], dtype))
