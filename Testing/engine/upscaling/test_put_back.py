"""Padding and outliers: the rest of a scan is upscaled as if they were not there, and they come back in place."""

from dataclasses import replace

import numpy as np
import pytest

from SuperResolutionLib.acquisition.outliers import outliers_of
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.file_to_file import upscale_file
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

SHAPE = (5, 40, 44)
MATRIX = np.array([[-0.8, 0.1, 0, 9], [0.1, 0.8, 0, -4], [0, 0, 3, 50], [0, 0, 0, 1.0]])
WISHES = {
    "x2": {"factor": 2},
    "new slices": {"factor": (1, 1, 2)},
    "both": {"factor": (2, 2, 2)},
    "isotropic": {"factor": None, "isotropic": True},
    "spacing": {"factor": None, "spacing": 0.3},
    "region": {"factor": 3, "region": (-20, -10, 52, 0, 20, 60)},
    "box of both": {"factor": (2, 2, 2), "box": ((5, 7, 1), (30, 28, 4))},
}


def request(**wishes):
    return UpscaleRequest(**{"quality": "fast", "device": "cpu", **wishes})


def carried(mask, **wishes):
    """Return which voxels of the result lie in those of ``mask``, by the way that label maps take."""
    labels = Volume(mask.astype(np.uint8), MATRIX)
    return upscale(labels, request(labels="nearest", **wishes)).volume.voxels.astype(bool)


@pytest.fixture(scope="module")
def beyond():
    """What lies beyond a circle that moves from slice to slice; the last slice is wholly beyond it."""
    k, y, x = np.indices(SHAPE, dtype=float)
    return (np.hypot(y - 18 - k, x - 22) > 17) | (k == 4)


@pytest.fixture(scope="module")
def ct(make_phantom):
    """A head in HU that reaches beyond the circle."""
    voxels = make_phantom(SHAPE, float).voxels
    noise = np.random.default_rng(0).normal(0, 8, SHAPE)
    return np.rint(np.where(voxels > 50, voxels - 600 + noise, -1000)).astype(np.int16)


@pytest.mark.parametrize("wish", WISHES)
def test_a_cts_body_is_the_same_whether_padding_or_air_lies_outside(ct, beyond, wish):
    wishes = WISHES[wish]
    in_air = upscale(Volume(np.where(beyond, np.int16(-1000), ct), MATRIX, "CT"), request(**wishes)).volume
    mask = carried(beyond, **wishes)
    assert 0.02 < mask.mean() < 0.9
    for value in (-2000, -3024):
        result = upscale(Volume(np.where(beyond, np.int16(value), ct), MATRIX, "CT"), request(**wishes))
        np.testing.assert_array_equal(result.volume.ijk_to_ras, in_air.ijk_to_ras)
        np.testing.assert_array_equal(result.volume.voxels, np.where(mask, value, in_air.voxels))
        assert result.report["survey"]["padding_percent"] == pytest.approx(100 * beyond.mean(), abs=0.001)
        assert any(sentence.startswith("Padding, ") and "air" in sentence for sentence in result.report["decisions"])


@pytest.mark.parametrize("dtype, value", [(np.int16, -5), (np.int16, 9000), (np.uint16, 63536), (np.float32, -1e30)])
@pytest.mark.parametrize("wish", ["x2", "isotropic"])
def test_a_magnitude_image_is_refined_up_to_a_constant_border_of_any_value(make_phantom, beyond, dtype, value, wish):
    whole = make_phantom(SHAPE, dtype, MATRIX, noise=4)
    whole = replace(whole, voxels=np.abs(whole.voxels.astype(np.float64)).astype(dtype))
    padded = replace(whole, voxels=np.where(beyond, np.array(value, dtype), whole.voxels))
    wishes = WISHES[wish]
    mask = carried(beyond, **wishes)
    result, unpadded = (upscale(volume, request(**wishes)).volume.voxels for volume in (padded, whole))
    assert (result[mask] == np.array(value, dtype)).all()
    assert result[~mask].min() >= 0
    inner = ~carried(_grown(beyond, 3), **wishes)
    assert inner.mean() > 0.1
    difference = result[inner].astype(float) - unpadded[inner]
    assert np.sqrt(np.mean(difference**2)) < 5  # of a range of 1000


def _grown(mask, voxels):
    """Return ``mask`` with what lies within so many voxels of it in its slices, and the slice before an empty one."""
    grown = mask.copy()
    for _ in range(voxels):
        grown[:, 1:] |= grown[:, :-1]
        grown[:, :-1] |= grown[:, 1:]
        grown[:, :, 1:] |= grown[:, :, :-1]
        grown[:, :, :-1] |= grown[:, :, 1:]
    grown[3] = True
    return grown


def test_padding_beyond_a_zero_filled_ct_comes_back_too(anatomy, zero_filled):
    voxels = zero_filled(anatomy[:2], (0.5, 0.5)) - 1000
    y, x = np.indices(voxels.shape[1:], dtype=float)
    mask = np.broadcast_to(np.hypot(y - 87.5, x - 79.5) > 86, voxels.shape)
    air, padded = (
        Volume(np.where(mask, value, voxels).astype(np.int16), np.diag([0.45, 0.45, 3, 1]), "CT")
        for value in (-1000, -2000)
    )
    in_air, result = (upscale(volume, request(factor=2)) for volume in (air, padded))
    assert [step["kind"] for step in result.report["steps"]] == ["acquired band", "slice plane"]
    fine = np.repeat(np.repeat(mask, 2, 1), 2, 2)
    np.testing.assert_array_equal(result.volume.voxels, np.where(fine, -2000, in_air.volume.voxels))


def test_padding_has_no_expected_error_and_nothing_was_added_there(ct, beyond, tmp_path):
    write_volume(Volume(np.where(beyond, np.int16(-2000), ct), MATRIX, "CT"), tmp_path / "ct.nrrd")
    names = {"added": tmp_path / "added.nrrd", "error": tmp_path / "error.nrrd"}
    wishes = {"factor": 2, "error": True}
    upscale_file(tmp_path / "ct.nrrd", tmp_path / "out.nrrd", request(**wishes), **names)
    mask = carried(beyond, factor=2)
    for name in names.values():
        voxels = read_volume(name).voxels
        assert (voxels[mask] == 0).all() and np.abs(voxels[~mask]).max() > 0
    assert np.abs(read_volume(tmp_path / "added.nrrd").voxels).max() < 600  # B-spline rings by nothing of the padding


def test_adapting_sees_no_padding(ct, beyond, monkeypatch):
    from SuperResolutionLib.upscaling import adaptation

    def looked_at(network, slices, *arguments):
        seen.append(slices.min())
        return network

    seen = []
    monkeypatch.setattr(adaptation, "adapt", looked_at)
    volume = Volume(np.where(beyond, np.int16(-30000), ct), MATRIX, "CT")
    upscale(volume, request(factor=(1, 1, 2), adapt=True))
    assert seen[0] > -0.1


@pytest.mark.parametrize(
    "size, dtype, wish",
    [*((1e30, np.float32, wish) for wish in WISHES), (1e6, np.float32, "x2"), (1e300, np.float64, "both")],
)
def test_two_voxels_that_ran_away_leave_the_rest_of_a_map_right(make_phantom, size, dtype, wish):
    clean = make_phantom(SHAPE, float).voxels.astype(dtype) / 500
    wild = clean.copy()
    wild[2, 20, 21], wild[3, 30, 9] = size, -size
    wishes = WISHES[wish]
    found, expected = (upscale(Volume(voxels, MATRIX), request(as_stored=True, **wishes)) for voxels in (wild, clean))
    high, low = (carried(wild == value, **wishes) for value in (size, -size))
    assert high.any()
    voxels = found.volume.voxels
    assert (voxels[high] == dtype(size)).all() and (voxels[low] == dtype(-size)).all()
    difference = np.where(high | low, 0, voxels - expected.volume.voxels)
    assert np.abs(difference).max() < 0.5 and np.sqrt(np.mean(difference**2)) < 0.01  # of a map of 0 to 2
    assert voxels[~low].min() >= 0
    assert found.report["survey"]["outliers"] == 2
    assert any("2 voxels lie more than 10000 ranges beyond" in warning for warning in found.report["warnings"])


def test_outliers_of_float64_are_the_largest_numbers_of_float32(make_phantom):
    voxels = make_phantom(SHAPE, np.float64).voxels.copy()
    voxels[2, 20, 21] = 1e300
    result = upscale(Volume(voxels, MATRIX), request(factor=2, output_type="float")).volume.voxels
    assert result.dtype == np.float32 and result.max() == np.finfo(np.float32).max


@pytest.mark.parametrize("wishes", [{"factor": 2}, {"factor": (1, 1, 2)}], ids=str)
def test_metal_and_bright_vessels_are_refined_as_ever(ct, wishes):
    voxels = ct.copy()
    voxels[1:4, 20:24, 20:24] = 30000
    assert outliers_of(voxels) is None
    result = upscale(Volume(voxels, MATRIX, "CT"), request(**wishes))
    assert result.survey.seen is result.survey.volume and result.report["survey"]["outliers"] == 0
    assert result.volume.voxels.max() > 30000
