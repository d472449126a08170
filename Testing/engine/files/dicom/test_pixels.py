"""Voxels in 16 bits: exact where they can be, else as precise as stated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from SuperResolutionLib.files.dicom.pixels import store_pixels


def restored(pixels):
    stored = np.stack([pixels.stored(k) for k in range(len(pixels.voxels))])
    assert stored.dtype == pixels.dtype.newbyteorder("<")
    return stored * float(pixels.slope) + float(pixels.intercept)


@pytest.mark.parametrize(
    "dtype, low, high, stored",
    [
        ("int16", -32768, 32767, "int16"),
        ("uint16", 0, 65535, "uint16"),
        ("uint8", 0, 255, "int16"),
        ("int32", -1024, 3071, "int16"),
        ("int32", 0, 65535, "uint16"),
        ("float32", -1024, 3071, "int16"),
    ],
)
def test_integers_of_16_bits_are_exact_whatever_their_type(dtype, low, high, stored):
    voxels = np.array([[[low, 1, 17, high]]], dtype)
    pixels = store_pixels(voxels)
    assert pixels.exact and (pixels.slope, pixels.intercept) == ("1", "0")
    assert pixels.dtype == stored
    np.testing.assert_array_equal(restored(pixels), voxels)


@given(
    arrays(np.float64, (1, 3, 4), elements=st.floats(-1e12, 1e12, allow_subnormal=False)),
    st.floats(1e-9, 1e6),
)
def test_other_values_are_restored_to_half_the_stated_step(voxels, scale):
    voxels = voxels * scale
    pixels = store_pixels(voxels)
    assert len(pixels.slope) <= 16 and len(pixels.intercept) <= 16
    spread = voxels.max() - voxels.min()
    assert pixels.exact or pixels.step <= 1.01 * spread / 65535 + 1e-9 * np.abs(voxels).max() or spread == 0
    np.testing.assert_allclose(restored(pixels), voxels, rtol=1e-12, atol=0.5001 * pixels.step)


def test_integers_beyond_16_bits_state_their_step():
    pixels = store_pixels(np.array([[[0, 1_000_000]]], np.int32))
    assert not pixels.exact and 15 < pixels.step < 16


def test_one_real_value_is_stored_too():
    pixels = store_pixels(np.full((1, 2, 2), 0.25, np.float32))
    np.testing.assert_allclose(restored(pixels), 0.25)
