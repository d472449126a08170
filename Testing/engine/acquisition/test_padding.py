"""Which voxels are padding, which are not, and what the survey says of a scan without them."""

from dataclasses import replace

import numpy as np
import pytest

from SuperResolutionLib.acquisition.padding import padding_of
from SuperResolutionLib.acquisition.survey import survey
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.volume import Volume

SHAPE = (6, 60, 64)


def turned(shape, degrees=12):
    """Return which voxels of slices lie beyond a field of view that was turned within them."""
    _, y, x = np.indices(shape, dtype=float)
    y, x = y - (shape[1] - 1) / 2, x - (shape[2] - 1) / 2
    angle = np.radians(degrees)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return (abs(u) > 0.42 * shape[2]) | (abs(v) > 0.42 * shape[1])


def circle(shape):
    """Return which voxels of slices lie beyond the largest circle within them."""
    _, y, x = np.indices(shape, dtype=float)
    return np.hypot(y - (shape[1] - 1) / 2, x - (shape[2] - 1) / 2) > min(shape[1:]) / 2


def shifted(shape):
    """Return two whole slices, and one column of the others."""
    mask = np.zeros(shape, bool)
    mask[:2] = mask[:, :, -1] = True
    return mask


def some_slices(shape):
    """Return what lies beyond a circle in two slices."""
    mask = circle(shape)
    mask[[0, 2, 3, 5]] = False
    return mask


PLACES = {"turned": turned, "circle": circle, "shifted": shifted, "some slices": some_slices}


@pytest.fixture(scope="module")
def mr(make_phantom):
    """A magnitude image with noise in its air."""
    return np.abs(make_phantom(SHAPE, float, noise=20).voxels) + 1


@pytest.fixture(scope="module")
def ct(make_phantom):
    """Air, and a head from -500 to 400 HU."""
    voxels = make_phantom(SHAPE, float).voxels
    noise = np.random.default_rng(0).normal(0, 15, SHAPE)
    return np.rint(np.where(voxels > 100, voxels - 500, -1000) + noise).clip(-1024).astype(np.int16)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "dtype, value",
    [(np.int16, -1), (np.int16, -2000), (np.int16, 4095), (np.uint16, 63536), (np.float32, -1.5), (np.float64, -1e30)],
)
@pytest.mark.parametrize("modality", ["MR", None])
def test_a_constant_border_beyond_the_range_of_a_magnitude_image_is_padding(mr, place, dtype, value, modality):
    mask = PLACES[place](SHAPE)
    voxels = np.where(mask, value, np.rint(mr)).astype(dtype)
    seen = survey(Volume(voxels, np.diag([1, 1, 3, 1]), modality))
    np.testing.assert_array_equal(seen.absent.mask, mask)
    assert seen.modality == modality
    assert seen.magnitude
    assert not seen.absent.is_air and seen.absent.outliers is None
    measured = voxels[~mask]
    assert seen.stored.scale == IntensityScale.of(measured)
    assert measured.min() <= seen.seen.voxels.min() and seen.seen.voxels.max() <= measured.max()
    np.testing.assert_array_equal(seen.seen.voxels[~mask], measured)
    assert 10 < seen.stored.noise * seen.stored.scale.span < 24  # 20 was added; in air its magnitude varies by 12


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [-2000, -3024, -32768, 32767])
@pytest.mark.parametrize("modality", ["CT", None])
def test_padding_of_a_ct_is_seen_as_air(ct, place, value, modality):
    mask = PLACES[place](SHAPE)
    seen = survey(Volume(np.where(mask, np.int16(value), ct), np.diag([1, 1, 3, 1]), modality))
    np.testing.assert_array_equal(seen.absent.mask, mask)
    assert seen.modality == "CT" and seen.absent.is_air
    np.testing.assert_array_equal(seen.seen.voxels, np.where(mask, -1000, ct))
    in_air = survey(Volume(np.where(mask, np.int16(-1000), ct), np.diag([1, 1, 3, 1]), modality))
    assert in_air.absent is None
    assert (seen.stored, seen.band) == (in_air.stored, in_air.band)


def test_a_ct_that_a_mask_took_the_air_from_is_a_ct_still(ct):
    mask = ct < -300
    seen = survey(Volume(np.where(mask, np.int16(-2000), ct), np.diag([1, 1, 3, 1])))
    assert seen.modality == "CT"
    np.testing.assert_array_equal(seen.seen.voxels, np.where(mask, -1000, ct))


def test_padding_within_a_ct_and_of_two_values_is_found(ct):
    voxels = np.where(circle(SHAPE), np.int16(-3024), ct)
    voxels[2:4, 20:30, 22:31] = -2000
    for modality in ("CT", None):
        seen = survey(Volume(voxels, np.diag([1, 1, 3, 1]), modality))
        np.testing.assert_array_equal(seen.absent.mask, voxels <= -2000)


def test_a_ct_in_unsigned_voxels_is_seen_with_what_lies_nearest_to_its_padding(ct):
    mask = circle(SHAPE)
    voxels = np.where(mask, 63536, ct + 1024).astype(np.uint16)
    seen = survey(Volume(voxels, np.diag([1, 1, 3, 1]), "CT"))
    np.testing.assert_array_equal(seen.absent.mask, mask)
    assert not seen.absent.is_air
    assert seen.seen.voxels.max() == (ct[~mask] + 1024).max()


def test_what_the_file_says_is_padding_wherever_it_lies(mr):
    voxels = np.rint(mr).astype(np.int16)
    voxels[2, 20:30, 20:30], voxels[3, 25:28, 30:40] = -700, -690
    volume = Volume(voxels, np.eye(4), "MR")
    assert survey(volume).absent is None
    seen = survey(replace(volume, padding=((-700.0, -680.0),)))
    np.testing.assert_array_equal(seen.absent.mask, voxels < -600)


@pytest.mark.parametrize("stated", [(0.0, 0.0), (200.0, 200.0), (1.0, 1.0), (-1024.0, -1024.0)])
def test_padding_that_is_stated_as_a_value_of_the_scan_is_left(mr, ct, stated):
    masked = np.where(mr > 100, np.rint(mr), 0).astype(np.int16)
    for voxels, modality in ((masked, "MR"), (ct, "CT")):
        assert survey(Volume(voxels, np.eye(4), modality, padding=(stated,))).absent is None


def test_the_nearest_voxel_of_the_slice_stands_for_padding(make_phantom):
    voxels = make_phantom((3, 20, 22)).voxels + 5
    voxels[:, :4], voxels[:, :, 19:] = -9, -9
    voxels[2] = -9
    seen = survey(Volume(voxels, np.eye(4), "MR")).seen.voxels
    np.testing.assert_array_equal(seen[:2, 2, :19], voxels[:2, 4, :19])
    np.testing.assert_array_equal(seen[:2, 4:, 21], voxels[:2, 4:, 18])
    assert (seen[:2, 0, 21] == voxels[:2, 4, 18]).all()
    np.testing.assert_array_equal(seen[2], seen[1])


@pytest.mark.parametrize("across", [0, 1, 2])
def test_slices_may_lie_along_any_axis(mr, across):
    mask = turned(SHAPE)
    voxels = np.where(mask, -100, np.rint(mr)).astype(np.int16)
    volume = Volume(np.moveaxis(voxels, 0, 2 - across), np.eye(4), "MR", slice_axis=across)
    np.testing.assert_array_equal(np.moveaxis(survey(volume).absent.mask, 2 - across, 0), mask)


UNTOUCHED = {
    "magnitude": lambda mr, ct: np.rint(mr),
    "magnitude in floats": lambda mr, ct: mr / 700,
    "masked to 0": lambda mr, ct: np.where(mr > 150, np.rint(mr), 0),
    "all 0 but a tumour": lambda mr, ct: np.where(mr > 950, np.rint(mr), 0),
    "air that is clipped": lambda mr, ct: np.rint(mr).clip(40),
    "saturated": lambda mr, ct: np.rint(mr).clip(0, 600),
    "bright vessels at the edge": lambda mr, ct: np.where(np.indices(SHAPE)[1] < 2, np.rint(mr) * 30, np.rint(mr)),
    "CT": lambda mr, ct: ct,
    "CT with a masked table": lambda mr, ct: np.where(circle(SHAPE), -1000, ct),
    "CT of a scanner that stops at -1024": lambda mr, ct: np.where(circle(SHAPE), -1024, ct),
    "CT without air": lambda mr, ct: np.where(ct < -400, -1000, ct),
    "CT with metal": lambda mr, ct: np.where(np.indices(SHAPE)[2] == 30, 30000, ct),
    "phase": lambda mr, ct: (np.rint(mr * 17) + 2048) % 4096 - 2048,
    "phase, masked": lambda mr, ct: np.where(mr > 150, (np.rint(mr * 17) + 2048) % 4096 - 2048, 0),
    "difference": lambda mr, ct: np.rint(mr) - np.roll(np.rint(mr), 1, 0),
    "few levels": lambda mr, ct: np.rint(mr / 120),
    "velocities that are not CT": lambda mr, ct: 300 - 8 * np.rint(mr),
    "noise alone": lambda mr, ct: np.random.default_rng(1).normal(size=SHAPE),
}


@pytest.mark.parametrize("kind", UNTOUCHED)
def test_a_scan_without_padding_is_seen_as_it_is(mr, ct, kind):
    voxels = UNTOUCHED[kind](mr, ct)
    dtype = np.float32 if kind in ("magnitude in floats", "noise alone") else np.int16
    volume = Volume(voxels.astype(dtype), np.diag([1, 1, 3, 1]))
    seen = survey(volume)
    assert seen.absent is None and seen.seen is volume


def test_a_label_map_is_not_searched_for_padding():
    labels = np.zeros(SHAPE, np.int16)
    labels[:, 10:30, 10:30], labels[:, :, :3] = 1, 40
    assert survey(Volume(labels, np.eye(4))).absent is None
    assert padding_of(Volume(np.where(labels > 0, np.int16(7), np.int16(3)), np.eye(4)), 2) is None
