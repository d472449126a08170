"""The entry point as a whole: place, brightness, type, region, what it holds, what it says and what it refuses."""

import functools
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from torch.nn import functional as F

from SuperResolutionLib.acquisition import survey
from SuperResolutionLib.acquisition.acquired_band import AcquiredBand
from SuperResolutionLib.errors import Cancelled, InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models import precision
from SuperResolutionLib.models.bundles import read_model
from SuperResolutionLib.models.devices import Device
from SuperResolutionLib.models.error_calibration import ONE_SD, ErrorCalibration
from SuperResolutionLib.models.networks import NETWORKS, CompactNet
from SuperResolutionLib.models.precision.onednn import why_not
from SuperResolutionLib.upscaling import inference
from SuperResolutionLib.upscaling import upscale as upscaling
from SuperResolutionLib.upscaling.report import model_names
from SuperResolutionLib.upscaling.steps import slice_plane
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale
from SuperResolutionLib.version import VERSION

ONE_SENTENCE = r"^[^\n]+[;,] [^\n]+\.$"
SHIPPED = {2: "mri-x2-compact", 4: "mri-x4-compact"}
STANDARD = {2: "mri-x2-rrdb", 4: "mri-x4-rrdb"}


def zeros(factor, network="CompactNet", **arguments):
    """Return all-zero weights of a network of width 4."""
    state = NETWORKS[network](factor=factor, width=4, **arguments).state_dict()
    return {key: torch.zeros_like(value) for key, value in state.items()}


@pytest.fixture
def cubic(write_bundle):
    """The function that returns a model folder whose network is bicubic interpolation."""

    def write(factor=2, **changes):
        arguments = {"width": 4, "blocks": 1}
        weights = {"fidelity": zeros(factor, blocks=1)}
        return str(write_bundle(f"cubic-{factor}", factor, arguments=arguments, weights=weights, **changes))

    return write


@pytest.fixture
def bright(write_bundle):
    """A model folder whose network is bicubic interpolation plus a fifth of the robust range."""
    weights = zeros(2, blocks=1)
    weights["tail.bias"] += 0.2
    return str(write_bundle("bright", arguments={"width": 4, "blocks": 1}, weights={"fidelity": weights}))


def random_matrix(seed):
    """A turned, mirrored or not, a little sheared matrix with a far origin."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ (np.eye(3) + 0.2 * random.uniform(-1, 1, (3, 3))) * random.uniform(0.4, 4, 3)
    matrix[:3, 3] = random.uniform(-300, 300, 3)
    return matrix


def axes(kind):
    """Return three unit axes: upright, oblique, left-handed or sheared."""
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    turn[:, 0] *= np.linalg.det(turn)
    return {
        "upright": np.eye(3),
        "oblique": turn,
        "left-handed": turn @ np.diag([1, -1, 1]),
        "sheared": turn @ np.array([[1, 0.2, 0.1], [0, 1, 0], [0, 0, 1]]),
    }[kind]


def centroid(volume):
    """Return the RAS centre of mass of all that is above a twentieth of the peak."""
    weight = np.maximum(volume.voxels - 0.05 * volume.voxels.max(), 0)
    k, j, i = np.indices(weight.shape)
    return (volume.ijk_to_ras @ [*(float((weight * axis).sum() / weight.sum()) for axis in (i, j, k)), 1])[:3]


# ---------------------------------------------------------------- place


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([2, 4]), st.sampled_from([0, 1, 2]))
def test_the_result_fills_the_inputs_box_to_a_millionth_of_a_mm(tmp_path, write_bundle, seed, factor, across):
    folder = tmp_path / f"box-{factor}"
    if not folder.exists():
        write_bundle(folder.name, factor)
    factors = tuple(1 if axis == across else factor for axis in range(3))
    random = np.random.default_rng(seed)
    voxels = random.normal(100, 20, random.integers(2, 9, 3)).astype(np.float32)
    volume = Volume(voxels, random_matrix(seed))
    result = upscale(volume, UpscaleRequest(factor=factors, model=str(folder))).volume
    np.testing.assert_allclose(result.ras_bounds(), volume.ras_bounds(), atol=1e-6, rtol=0)
    assert result.dimensions == tuple(np.multiply(volume.dimensions, factors))
    np.testing.assert_allclose(result.spacing, np.divide(volume.spacing, factors), rtol=1e-9)


@pytest.mark.parametrize("kind", ["upright", "oblique", "left-handed", "sheared"])
@pytest.mark.parametrize("factor", SHIPPED)
@pytest.mark.parametrize("centre", [(14.2, 22.7, 2.3), (25.6, 15.4, 1.8)])
def test_a_blob_keeps_its_place_to_a_20th_of_a_mm_through_the_shipped_models(factor, kind, centre):
    matrix = np.eye(4)
    matrix[:3, :3] = axes(kind) * [0.9, 0.9, 3.0]
    matrix[:3, 3] = [-71.3, 25.5, 130.2]
    k, j, i = np.indices((5, 38, 40), dtype=float)
    square = (i - centre[0]) ** 2 + (j - centre[1]) ** 2 + (2 * (k - centre[2])) ** 2
    volume = Volume((3000 * np.exp(-square / (2 * 2.0**2))).astype(np.float32), matrix)
    result = upscale(volume, UpscaleRequest(factor=factor, model=SHIPPED[factor])).volume
    np.testing.assert_allclose(centroid(result), centroid(volume), atol=0.05, rtol=0)


@pytest.mark.parametrize("factor", [2, 4])
def test_what_the_network_returns_lands_on_its_voxels_in_the_inputs_units(cubic, single_precision, factor):
    voxels = np.random.default_rng(0).integers(-2000, 30000, (6, 9, 11)).astype(np.int16)
    volume = Volume(voxels, np.eye(4))
    model = cubic(factor)
    for across in range(3):
        factors = tuple(1 if axis == across else factor for axis in range(3))
        result = upscale(volume, UpscaleRequest(factor=factors, model=model, consistency=False)).volume
        slices = torch.from_numpy(np.moveaxis(voxels, 2 - across, 0).astype(np.float64))[:, None]
        expected = F.interpolate(slices, scale_factor=factor, mode="bicubic")[:, 0].numpy()
        expected = np.moveaxis(np.clip(expected, -32768, 32767), 0, 2 - across)
        np.testing.assert_allclose(result.voxels, expected, atol=0.52)


def test_the_result_does_not_depend_on_the_order_in_which_the_axes_are_stored(write_bundle, single_precision, phantom):
    folder = str(write_bundle())
    reference = upscale(phantom, UpscaleRequest(factor=(2, 2, 1), model=folder, output_type="float")).volume
    swapped = Volume(phantom.voxels.transpose(2, 1, 0), phantom.ijk_to_ras[:, [2, 1, 0, 3]])
    result = upscale(swapped, UpscaleRequest(factor=(1, 2, 2), model=folder, output_type="float")).volume
    again = upscale(swapped, UpscaleRequest(factor=2, model=folder, output_type="float")).volume
    np.testing.assert_allclose(result.ijk_to_ras[:, [2, 1, 0, 3]], reference.ijk_to_ras, atol=1e-9)
    np.testing.assert_array_equal(again.voxels, result.voxels)
    symmetric = upscale(
        swapped, UpscaleRequest(factor=(1, 2, 2), model=folder, output_type="float", quality="best")
    ).volume
    upright = upscale(
        phantom, UpscaleRequest(factor=(2, 2, 1), model=folder, output_type="float", quality="best")
    ).volume
    np.testing.assert_allclose(symmetric.voxels.transpose(2, 1, 0), upright.voxels, atol=0.05)


# ---------------------------------------------------------------- intensity


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_the_scalar_type_is_kept_unless_float_is_asked_for(write_bundle, make_phantom, dtype):
    folder = str(write_bundle())
    volume = Volume((make_phantom(dtype=float).voxels * 0.25).astype(dtype), np.eye(4))
    assert upscale(volume, UpscaleRequest(factor=2, model=folder)).volume.voxels.dtype == dtype
    as_float = upscale(volume, UpscaleRequest(factor=2, model=folder, output_type="float")).volume
    assert as_float.voxels.dtype == np.float32
    assert (as_float.voxels % 1 != 0).any()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32])
def test_values_at_the_types_limits_are_clamped_not_wrapped(cubic, dtype):
    limits = np.iinfo(dtype)
    voxels = np.full((2, 16, 16), limits.min, dtype)
    voxels[:, 4:12, 4:12] = limits.max
    result = upscale(Volume(voxels, np.eye(4)), UpscaleRequest(factor=4, model=cubic(4))).volume.voxels
    assert result[:, 24:40, 24:40].min() > 0.9 * limits.max
    assert result[:, :8, :8].max() < limits.min + 0.1 * (float(limits.max) - limits.min)


def test_16_bit_voxels_do_not_pass_through_8_bits(cubic):
    ramp = np.linspace(0, 30000, 64).astype(np.int16) * np.ones((1, 8, 1), np.int16)
    result = upscale(Volume(ramp, np.eye(4)), UpscaleRequest(factor=4, model=cubic(4))).volume.voxels[0, 16, 8:-8]
    assert len(np.unique(result)) == len(result)
    assert (np.diff(result) > 50).all()


def test_bright_voxels_are_not_clipped_at_the_robust_range(cubic):
    voxels = np.random.default_rng(0).normal(100, 10, (3, 60, 60)).astype(np.float32)
    voxels[1, 30:34, 30:34] = 5000
    result = upscale(Volume(voxels, np.eye(4)), UpscaleRequest(factor=2, model=cubic())).volume.voxels
    assert result[1, 62:66, 62:66].min() > 4500


def test_slices_are_scaled_by_the_whole_volume_so_that_they_do_not_flicker(write_bundle, single_precision):
    arguments = {"width": 4, "growth": 4, "blocks": 1}
    weights = {"fidelity": zeros(2, "RRDBNet", growth=4, blocks=1)}  # tanh(0): the middle of the robust range
    folder = write_bundle(network="RRDBNet", arguments=arguments, weights=weights)
    voxels = np.random.default_rng(0).uniform(0, 1, (6, 20, 20)) * 100 * np.arange(1, 7).reshape(-1, 1, 1)
    result = upscale(Volume(voxels, np.eye(4)), UpscaleRequest(factor=2, model=str(folder), consistency=False))
    scale = IntensityScale.of(voxels)
    np.testing.assert_allclose(result.volume.voxels, (scale.low + scale.high) / 2, rtol=1e-6)


def test_a_magnitude_image_gets_no_negative_voxels_and_others_may(cubic, make_phantom):
    edges = (make_phantom((2, 40, 44), float).voxels > 300) * 1000
    request = UpscaleRequest(factor=2, model=cubic(), consistency=False)
    assert upscale(Volume(edges.astype(np.int16), np.eye(4)), request).volume.voxels.min() == 0
    assert upscale(Volume((edges - 1000).astype(np.int16), np.eye(4)), request).volume.voxels.min() < -1000


# ---------------------------------------------------------------- region


REGIONS = {
    "inside": ((40, 50, 1), (60, 66, 3)),
    "at the first corner": ((0, 0, 0), (21, 13, 1)),
    "at the last corner": ((70, 81, 2), (90, 95, 4)),
    "a column": ((44, 3, 0), (46, 92, 4)),
    "everything": ((0, 0, 0), (90, 95, 4)),
}


@pytest.fixture(scope="module", params=[(20.0, np.int16), (0.0, np.float32)], ids=["noisy int16", "clean float32"])
def volume_and_whole_result(make_phantom, request):
    noise, dtype = request.param
    matrix = np.diag([-0.8, 0.8, 2.5, 1.0])
    matrix[:3, 3] = [30, -20, 7]
    volume = make_phantom((4, 95, 90), dtype, matrix, noise)
    with pytest.MonkeyPatch.context() as patch:
        choice = precision.Choice("float32", "float32", "a test wants it")
        patch.setattr(precision, "fastest_precision", lambda network, device: choice)
        return volume, upscale(volume, UpscaleRequest(factor=2, model=SHIPPED[2])).volume


@pytest.mark.parametrize("box", REGIONS.values(), ids=REGIONS)
def test_a_regions_result_is_that_part_of_the_whole_result(volume_and_whole_result, single_precision, box):
    volume, whole = volume_and_whole_result
    part = volume.cropped(*box)
    region = tuple((part.ras_bounds() + [[0.1] * 3, [-0.1] * 3]).ravel())
    result = upscale(volume, UpscaleRequest(factor=2, model=SHIPPED[2], region=region)).volume
    np.testing.assert_allclose(result.ras_bounds(), part.ras_bounds(), atol=1e-6)
    first, last = (tuple(np.multiply(corner, (2, 2, 1))) for corner in box)
    expected = whole.cropped(first, last)
    np.testing.assert_allclose(result.ijk_to_ras, expected.ijk_to_ras, atol=1e-9)
    tolerance = 1 if volume.voxels.dtype == np.int16 else 1e-4 * IntensityScale.of(volume.voxels).span
    difference = result.voxels.astype(float) - expected.voxels.astype(float)
    assert np.abs(difference).max() <= tolerance


def test_a_region_of_an_oblique_volume_tiles_the_voxels_that_it_touches(
    write_bundle, oblique_phantom, single_precision
):
    request = {"factor": 2, "model": str(write_bundle())}
    whole = upscale(oblique_phantom, UpscaleRequest(**request)).volume
    middle = (oblique_phantom.ijk_to_ras @ [20, 18, 2, 1])[:3]
    region = (*(middle - [3, 4, 2]), *(middle + [4, 3, 1]))
    first, last = Grid.of(oblique_phantom).box_of_region(region)
    result = upscale(oblique_phantom, UpscaleRequest(**request, region=region)).volume
    part = oblique_phantom.cropped(first, last)
    assert part.voxels.size < oblique_phantom.voxels.size / 2
    np.testing.assert_allclose(result.ras_bounds(), part.ras_bounds(), atol=1e-6)
    expected = whole.cropped(tuple(np.multiply(first, (2, 2, 1))), tuple(np.multiply(last, (2, 2, 1))))
    assert np.abs(result.voxels.astype(int) - expected.voxels.astype(int)).max() <= 1


def test_negative_voxels_outside_a_region_do_not_change_it(cubic, single_precision):
    voxels = np.zeros((2, 90, 90), np.int16)
    voxels[:, 40:50, 40:50] = 1000
    voxels[0, 2, 2] = -50
    volume, request = Volume(voxels, np.eye(4)), {"factor": 2, "model": cubic(), "consistency": False}
    whole = upscale(volume, UpscaleRequest(**request)).volume
    result = upscale(volume, UpscaleRequest(**request, region=(36, 36, 0, 53, 53, 1))).volume
    expected = whole.cropped((72, 72, 0), (108, 108, 2)).voxels
    assert result.dimensions == (36, 36, 2)
    assert np.abs(result.voxels.astype(int) - expected.astype(int)).max() <= 1


def test_a_region_holds_for_slices_along_i_too(write_bundle, single_precision, phantom):
    volume = Volume(phantom.voxels.transpose(2, 1, 0), phantom.ijk_to_ras[:, [2, 1, 0, 3]])
    request = {"factor": (1, 2, 2), "model": str(write_bundle())}
    whole = upscale(volume, UpscaleRequest(**request)).volume
    part = volume.cropped((1, 12, 20), (3, 22, 33))
    region = tuple((part.ras_bounds() + [[0.1] * 3, [-0.1] * 3]).ravel())
    result = upscale(volume, UpscaleRequest(**request, region=region)).volume
    expected = whole.cropped((1, 24, 40), (3, 44, 66)).voxels
    assert np.abs(result.voxels.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(
    "region", [(500, 500, 500, 600, 600, 600), (0, 0, 0, 5, 5), (0, 0, 0, 5, 5, float("nan")), ()], ids=str
)
def test_a_region_that_is_none_or_lies_off_the_volume_is_an_input_error(write_bundle, phantom, region):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        upscale(phantom, UpscaleRequest(factor=2, model=str(write_bundle()), region=region))


@pytest.mark.parametrize("kind", ["upright", "oblique"])
def test_chosen_slices_are_those_of_the_whole_result(write_bundle, phantom, oblique_phantom, single_precision, kind):
    volume = phantom if kind == "upright" else oblique_phantom
    request = {"factor": 2, "model": str(write_bundle())}
    whole = upscale(volume, UpscaleRequest(**request)).volume
    calls = []
    result = upscale(
        volume, UpscaleRequest(**request, box=((0, 0, 1), (44, 40, 3))), lambda *call: calls.append(call)
    ).volume
    assert calls[-1][1] == 2
    expected = whole.cropped((0, 0, 1), (88, 80, 3))
    np.testing.assert_allclose(result.ijk_to_ras, expected.ijk_to_ras, atol=1e-9)
    assert result.dimensions == expected.dimensions
    assert np.abs(result.voxels.astype(int) - expected.voxels.astype(int)).max() <= 1


@pytest.mark.parametrize("slices", [(-1, 3), (3, 3), (0, 6), (5, 6)], ids=str)
def test_a_box_that_is_not_there_is_an_input_error(write_bundle, phantom, slices):
    box = ((0, 0, slices[0]), (44, 40, slices[1]))
    with pytest.raises(InputError, match="choose one within 44 x 40 x 5 voxels"):
        upscale(phantom, UpscaleRequest(factor=2, model=str(write_bundle()), box=box))


def test_a_box_and_a_region_together_are_an_input_error(write_bundle, phantom):
    request = UpscaleRequest(model=str(write_bundle(factor=4)), box=((0, 0, 0), (9, 9, 1)), region=(0, 0, 0, 9, 9, 9))
    with pytest.raises(InputError, match="not both"):
        upscale(phantom, request)


# ---------------------------------------------------------------- what is held


def test_a_network_that_shifts_the_brightness_is_corrected_and_the_report_says_so(bright, phantom):
    def mean_error(result):
        return (result.volume.voxels.mean() - phantom.voxels.mean()) / IntensityScale.of(phantom.voxels).span

    held = upscale(phantom, UpscaleRequest(factor=2, model=bright))
    free = upscale(phantom, UpscaleRequest(factor=2, model=bright, consistency=False))
    assert abs(mean_error(held)) < 0.01
    assert mean_error(free) > 0.15
    assert held.report["steps"][-1]["consistency"]["held"] is True
    assert free.report["steps"][-1]["consistency"]["held"] is False
    assert held.report["steps"][-1]["consistency"]["residual_percent"] <= 0.5
    assert 15 < free.report["steps"][-1]["consistency"]["residual_percent"] < 25


@pytest.mark.parametrize("factor", SHIPPED)
def test_the_shipped_models_agree_with_a_clean_input_to_half_a_percent(make_phantom, factor):
    volume = make_phantom((3, 90, 96))
    report = upscale(volume, UpscaleRequest(factor=factor, model=SHIPPED[factor])).report
    assert report["steps"][-1]["consistency"]["noise_percent"] < 0.5
    assert report["steps"][-1]["consistency"]["residual_percent"] <= 0.5


def test_the_noise_of_a_noisy_input_is_reported(make_phantom, write_bundle):
    volume = make_phantom((3, 90, 96), noise=30.0)
    report = upscale(volume, UpscaleRequest(factor=2, model=str(write_bundle()))).report
    expected = 3000 / IntensityScale.of(volume.voxels).span
    assert expected / 2 < report["steps"][-1]["consistency"]["noise_percent"] < 2 * expected


# ---------------------------------------------------------------- expected error, spacing, detail


@pytest.fixture
def wary(write_bundle):
    """A model that predicts its error, without a calibration."""
    return str(write_bundle("wary", weights=("fidelity", "error")))


def test_the_expected_error_comes_in_the_inputs_units_on_the_results_grid(wary, phantom, single_precision):
    request = UpscaleRequest(factor=2, model=wary, error=True)
    result = upscale(phantom, request)
    error = result.error
    assert error.voxels.dtype == np.float32 and error.voxels.min() > 0 and error.voxels.std() > 0
    assert error.dimensions == result.volume.dimensions
    np.testing.assert_array_equal(error.ijk_to_ras, result.volume.ijk_to_ras)
    ten_times = upscale(Volume(phantom.voxels * 10.0, phantom.ijk_to_ras), request).error
    np.testing.assert_allclose(ten_times.voxels, 10 * error.voxels, rtol=1e-2)


def test_the_image_is_the_same_whether_the_expected_error_is_asked_for_or_not(wary, phantom):
    request = UpscaleRequest(factor=2, model=wary)
    plain, asked = upscale(phantom, request), upscale(phantom, replace(request, error=True))
    np.testing.assert_array_equal(asked.volume.voxels, plain.volume.voxels)
    assert plain.error is None and "expected_error" not in plain.report


def test_the_report_says_how_large_the_expected_error_is_in_the_patient(wary, phantom):
    result = upscale(phantom, UpscaleRequest(factor=2, model=wary, error=True))
    said = result.report["expected_error"]
    low, high = result.report["survey"]["range"]
    bright = result.error.voxels[result.volume.voxels > low + 0.1 * (high - low)]
    assert said["mean"] == pytest.approx(bright.mean(), rel=1e-4)
    assert said["percentile_95"] == pytest.approx(np.percentile(bright, 95), rel=1e-4)
    assert said["mean_percent_of_range"] == pytest.approx(100 * bright.mean() / (high - low), abs=0.001)
    assert said["within"]["50"] < 1 < said["within"]["80"] < said["within"]["95"]


def test_a_calibration_multiplies_the_expected_error_by_what_its_noise_asks_for(wary, phantom, single_precision):
    once, twice = (
        ErrorCalibration(1.0, (0.0, 0.5), {50.0: (0.5, 0.5), ONE_SD: (one, 9.0), 80.0: (2.0, 2.0), 95.0: (4.0, 4.0)})
        for one in (1.0, 2.0)
    )
    request = UpscaleRequest(factor=2, model=replace(read_model(wary), error_calibration=once), error=True)
    first = upscale(phantom, request).error
    second = upscale(phantom, replace(request, model=replace(request.model, error_calibration=twice))).error
    noise = survey.survey(phantom).stored.noise
    ratio = twice.one_sd(noise, 0.0) / once.one_sd(noise, 0.0)
    assert ratio > 1.5
    np.testing.assert_allclose(second.voxels, ratio * first.voxels, rtol=1e-4)


@pytest.mark.parametrize("by_steepness", [False, True])
def test_a_part_of_a_scan_is_expected_to_be_as_far_off_as_it_is_in_the_whole(
    wary, phantom, single_precision, by_steepness
):
    rows = {50.0: (0.5,), ONE_SD: (1.0,), 80.0: (2.0,), 95.0: (4.0,)}
    calibration = ErrorCalibration(0.5, (0.0,), rows, level_exponent=1.0, by_steepness=by_steepness)
    plain = replace(calibration, level_exponent=None, by_steepness=False)
    request = UpscaleRequest(factor=2, model=replace(read_model(wary), error_calibration=calibration), error=True)
    whole = upscale(phantom, request).error.voxels
    unlevelled = replace(request, model=replace(request.model, error_calibration=plain))
    ratio = whole / upscale(phantom, unlevelled).error.voxels
    assert abs(np.log(ratio.mean())) > 0.1
    assert (ratio.std() > 0.1 * ratio.mean()) == by_steepness
    part = upscale(phantom, replace(request, box=((10, 12, 1), (20, 22, 3)))).error.voxels
    np.testing.assert_allclose(part, whole[1:3, 24:44, 20:40], rtol=1e-3)


def test_a_model_that_does_not_predict_its_error_says_so_in_one_sentence(cubic, phantom):
    with pytest.raises(InputError, match=r"does not predict its error; choose .*\.$"):
        upscale(phantom, UpscaleRequest(factor=2, model=cubic(), error=True))


@pytest.mark.parametrize("spacing", [0.6, (0.7, 0.55, 3.0), (0.8, 0.8, 5.0)], ids=str)
def test_a_target_spacing_is_met_exactly_in_the_inputs_type(cubic, phantom, spacing):
    result = upscale(phantom, UpscaleRequest(factor=None, spacing=spacing, model=cubic())).volume
    wanted = (spacing, spacing, 3.0) if isinstance(spacing, float) else spacing
    np.testing.assert_allclose(result.spacing, wanted, rtol=1e-9)
    assert result.voxels.dtype == np.int16
    assert result.voxels.min() >= 0
    assert (np.abs(result.ras_bounds() - phantom.ras_bounds()) <= np.multiply(wanted, 0.51)).all()
    assert result.voxels.mean() == pytest.approx(phantom.voxels.mean(), rel=0.05)


@pytest.mark.parametrize("spacing", [0.6, 0.5])
def test_a_single_slice_reaches_a_target_spacing(cubic, make_phantom, spacing):
    result = upscale(make_phantom((1, 40, 44)), UpscaleRequest(factor=None, spacing=spacing, model=cubic())).volume
    assert result.dimensions == (round(44 / spacing), round(40 / spacing), 1)
    assert result.voxels.max() > 500


def test_detail_chooses_between_the_two_weight_sets(write_bundle, phantom, single_precision):
    weights = {"fidelity": zeros(2, blocks=1), "perceptual": zeros(2, blocks=1)}
    weights["perceptual"]["tail.bias"] += 0.4
    folder = str(write_bundle(arguments={"width": 4, "blocks": 1}, weights=weights, default_detail=0.25))
    means = {}
    for detail in (0, None, 0.25, 0.5, 1):
        request = UpscaleRequest(factor=2, model=folder, detail=detail, consistency=False, output_type="float")
        result = upscale(phantom, request)
        means[detail] = result.volume.voxels.mean()
        assert result.report["steps"][0]["detail"] == (0.25 if detail is None else detail)
    span = IntensityScale.of(phantom.voxels).span
    assert means[None] == means[0.25]
    for detail in (0.25, 0.5, 1):
        assert means[detail] - means[0] == pytest.approx(0.4 * detail * span, rel=0.02)


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize("shape", [(1, 40, 44), (3, 2, 2), (2, 3, 31), (1, 17, 2), (7, 33, 41)], ids=str)
@pytest.mark.parametrize("factor", SHIPPED)
def test_single_slices_odd_sizes_and_tiny_planes_are_upscaled(shape, factor):
    # Smooth, as a network that takes white noise for Rician noise rightly lowers its mean.
    k, j, i = np.indices(shape)
    voxels = (250 + 150 * np.sin(j / 4 + k) * np.cos(i / 5)).astype(np.int16)
    result = upscale(Volume(voxels, np.diag([1, 1, 3, 1.0])), UpscaleRequest(factor=factor, model=SHIPPED[factor]))
    assert result.volume.voxels.shape == (shape[0], factor * shape[1], factor * shape[2])
    assert result.volume.voxels.mean() == pytest.approx(voxels.mean(), rel=0.02)


def test_tiles_smaller_than_the_slice_leave_no_seams(write_bundle, make_phantom, single_precision, monkeypatch):
    volume = make_phantom((2, 90, 96), np.float32, noise=5.0)
    request = UpscaleRequest(factor=2, model=str(write_bundle()))
    whole = upscale(volume, request)
    monkeypatch.setattr(inference, "SliceInference", functools.partial(inference.SliceInference, tile=20))
    tiled = upscale(volume, request)
    assert tiled.report["steps"][-1]["tiles"] > 10 * whole.report["steps"][-1]["tiles"]
    np.testing.assert_allclose(tiled.volume.voxels, whole.volume.voxels, atol=1e-5 * 1000)


@pytest.mark.parametrize("air, share", [(0, 0.5), (None, 1.0)], ids=["constant air", "noisy air"])
def test_constant_air_around_the_patient_costs_no_time(write_bundle, make_phantom, monkeypatch, air, share):
    head = make_phantom((12, 40, 44)).voxels
    voxels = np.random.default_rng(0).integers(0, 9, (12, 100, 110)).astype(np.int16) if air is None else None
    voxels = np.full((12, 100, 110), air, np.int16) if voxels is None else voxels
    voxels[:, 30:70, 30:74] = head
    pixels = []
    really = CompactNet.forward
    monkeypatch.setattr(CompactNet, "forward", lambda self, x: pixels.append(x.numel()) or really(self, x))
    upscale(Volume(voxels, np.eye(4)), UpscaleRequest(factor=2, model=str(write_bundle())))
    assert (sum(pixels) < share * voxels.size) == (air is not None)


# ---------------------------------------------------------------- zero-filled scans


def filled_volume(anatomy, zero_filled, shares=(0.5, 0.5), matrix=None):
    """Return two slices of 80 x 88 voxels of 0.45 x 0.45 x 3 mm, acquired at ``shares`` of the rows and columns."""
    slices = anatomy[:2].reshape(2, 88, 2, 80, 2).mean(axis=(2, 4))
    matrix = np.diag([0.45, 0.45, 3.0, 1.0]) if matrix is None else matrix
    return Volume(zero_filled(slices, shares, 0.01), matrix, "MR")


@settings(max_examples=20)
@given(
    st.integers(0, 10**6),
    st.sampled_from([2, 4]),
    st.sampled_from([0, 1, 2]),
    st.tuples(st.floats(0.3, 1), st.floats(0.3, 1)),
)
def test_from_any_band_the_result_fills_the_stored_scans_box(tmp_path, write_bundle, seed, factor, across, wanted):
    folder = tmp_path / f"band-{factor}"
    if not folder.exists():
        write_bundle(folder.name, factor)
    factors = tuple(1 if axis == across else factor for axis in range(3))
    random = np.random.default_rng(seed)
    volume = Volume(random.normal(100, 20, random.integers(4, 12, 3)).astype(np.float32), random_matrix(seed))
    kept = list(volume.dimensions)
    for axis, share in zip((axis for axis in range(3) if axis != across), wanted):
        kept[axis] = max(2, round(share * kept[axis]))
    shares = tuple(int(new) / int(old) for new, old in zip(kept, volume.dimensions))
    band = AcquiredBand(across, volume.spacing, shares, tuple(kept))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "detect_acquired_band", lambda volume, across: band)
        result = upscale(volume, UpscaleRequest(factor=factors, model=str(folder))).volume
    np.testing.assert_allclose(result.ras_bounds(), volume.ras_bounds(), atol=1e-6, rtol=0)
    assert result.dimensions == tuple(np.multiply(volume.dimensions, factors))


def test_a_zero_filled_scan_is_upscaled_from_its_acquired_band_and_the_report_says_so(anatomy, zero_filled):
    volume = filled_volume(anatomy, zero_filled)
    result = upscale(volume, UpscaleRequest(factor=2))
    assert result.volume.dimensions == (160, 176, 2) and result.volume.voxels.dtype == np.int16
    assert model_names(result.report) == STANDARD[4] and result.report["output"]["factors_ijk"] == [2, 2, 1]
    assert result.report["survey"]["acquired"] == {
        "stored_mm": [0.45, 0.45, 3.0],
        "acquired_mm": [0.9, 0.9, 3.0],
        "acquired_from": "the spectrum",
        "zero_filled": True,
        "sentence": "Stored at 0.45 mm, acquired at 0.9 mm; upscaled from the acquired band.",
    }
    assert [step["kind"] for step in result.report["steps"]] == ["acquired band", "slice plane"]
    assert result.report["steps"][-1]["factors_ijk"] == [4, 4, 1]
    assert result.report["steps"][-1]["consistency"]["measured"] == "the acquired band"
    assert result.report["steps"][-1]["consistency"]["residual_percent"] < 1


def test_as_stored_leaves_a_zero_filled_scan_as_it_is(anatomy, zero_filled):
    report = upscale(filled_volume(anatomy, zero_filled), UpscaleRequest(factor=2, as_stored=True)).report
    assert model_names(report) == STANDARD[2]
    assert report["survey"]["acquired"]["zero_filled"] is True and report["steps"][0]["kind"] == "slice plane"
    assert report["steps"][-1]["consistency"]["measured"] == "the stored image"


def test_what_the_file_or_the_user_says_of_the_matrix_is_what_is_upscaled(anatomy, zero_filled):
    volume = filled_volume(anatomy, zero_filled, (1, 1))
    stated = replace(volume, acquired_shares=(0.5, 66 / 88, None), acquired_from="t1.json")
    for scan, request, spacing, said_by in (
        (volume, UpscaleRequest(factor=2, quality="fast"), [0.45, 0.45, 3], "the spectrum"),
        (stated, UpscaleRequest(factor=2, quality="fast"), [0.9, 0.6, 3], "t1.json"),
        (stated, UpscaleRequest(factor=2, quality="fast", acquired=(60, 44)), [0.6, 0.9, 3], "the request"),
    ):
        result = upscale(scan, request)
        acquired = result.report["survey"]["acquired"]
        assert (acquired["acquired_mm"], acquired["acquired_from"]) == (spacing, said_by)
        assert result.volume.dimensions == (160, 176, 2)
        np.testing.assert_allclose(result.volume.ras_bounds(), volume.ras_bounds(), atol=1e-6)
        assert result.volume.acquired_shares == (None, None, None)


def test_an_unfilled_scan_is_upscaled_as_stored(phantom, write_bundle, single_precision):
    folder = str(write_bundle())
    results = [upscale(phantom, UpscaleRequest(factor=2, model=folder, as_stored=stored)) for stored in (True, False)]
    np.testing.assert_array_equal(results[0].volume.voxels, results[1].volume.voxels)
    assert results[1].report["survey"]["acquired"]["zero_filled"] is False


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.6, 1)], ids=str)
def test_upscaling_from_the_acquired_band_is_nearer_to_the_truth(anatomy, zero_filled, shares):
    volume = filled_volume(anatomy, zero_filled, shares)
    errors = {}
    for as_stored in (True, False):
        result = upscale(volume, UpscaleRequest(factor=2, as_stored=as_stored)).volume
        errors[as_stored] = np.sqrt(np.mean((result.voxels - anatomy[:2]) ** 2))
    assert errors[False] < 0.98 * errors[True]


def test_a_scan_that_is_filled_along_one_axis_is_cropped_along_that_axis(cubic, anatomy, zero_filled):
    volume = filled_volume(anatomy, zero_filled, (1, 0.6))
    result = upscale(volume, UpscaleRequest(factor=2, model=cubic()))
    stored, acquired = (result.report["survey"]["acquired"][which] for which in ("stored_mm", "acquired_mm"))
    assert acquired[1:] == stored[1:] and acquired[0] == pytest.approx(0.75, rel=0.05)
    np.testing.assert_allclose(result.volume.ras_bounds(), volume.ras_bounds(), atol=1e-6)
    held = result.volume.voxels.reshape(2, 88, 2, 80, 2).mean(axis=(2, 4))
    assert np.sqrt(np.mean((held - volume.voxels) ** 2)) < 0.02 * 1000


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.6, 1)], ids=str)
@pytest.mark.parametrize("box", [((20, 24, 0), (52, 60, 1)), ((0, 0, 1), (33, 88, 2)), ((60, 7, 0), (80, 20, 2))])
def test_a_region_of_a_zero_filled_scan_is_that_part_of_the_whole_result(
    cubic, anatomy, zero_filled, single_precision, shares, box
):
    volume, model = filled_volume(anatomy, zero_filled, shares, np.diag([-0.45, 0.45, 3, 1])), cubic(4)
    whole = upscale(volume, UpscaleRequest(factor=4, model=model)).volume
    part = volume.cropped(*box)
    region = tuple((part.ras_bounds() + [[0.1] * 3, [-0.1] * 3]).ravel())
    result = upscale(volume, UpscaleRequest(factor=4, model=model, region=region)).volume
    expected = whole.cropped(*(tuple(np.multiply(corner, (4, 4, 1))) for corner in box))
    np.testing.assert_allclose(result.ras_bounds(), part.ras_bounds(), atol=1e-6)
    assert result.dimensions == expected.dimensions
    assert np.abs(result.voxels.astype(int) - expected.voxels.astype(int)).max() <= 1


def test_chosen_slices_and_a_target_spacing_of_a_zero_filled_scan(cubic, anatomy, zero_filled, single_precision):
    volume, model = filled_volume(anatomy, zero_filled), cubic(4)
    whole = upscale(volume, UpscaleRequest(factor=4, model=model)).volume
    one = upscale(volume, UpscaleRequest(factor=4, model=model, box=((0, 0, 1), (*volume.dimensions[:2], 2)))).volume
    np.testing.assert_array_equal(one.voxels[0], whole.voxels[1])
    result = upscale(volume, UpscaleRequest(factor=None, spacing=0.3, model=model))
    np.testing.assert_allclose(result.volume.spacing, (0.3, 0.3, 3.0), rtol=1e-9)
    assert result.volume.dimensions == (120, 132, 2)
    assert result.report["steps"][0]["kind"] == "acquired band"
    assert result.volume.voxels.mean() == pytest.approx(volume.voxels.mean(), rel=0.02)


# ---------------------------------------------------------------- refusals


def test_a_result_that_does_not_fit_into_memory_is_an_input_error(cubic, phantom, monkeypatch):
    really = np.empty

    def empty(shape, *rest, **options):
        if tuple(np.atleast_1d(shape)) == (5, 80, 88):
            raise MemoryError
        return really(shape, *rest, **options)

    monkeypatch.setattr(slice_plane.np, "empty", empty)
    with pytest.raises(InputError, match="memory.*; choose a region"):
        upscale(phantom, UpscaleRequest(factor=2, model=cubic()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_an_input_error(phantom, value):
    voxels = phantom.voxels.astype(np.float32)
    voxels[2, 3, 4] = value
    with pytest.raises(InputError, match=ONE_SENTENCE):
        upscale(Volume(voxels, np.eye(4)))


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_volume_is_an_input_error(value):
    with pytest.raises(InputError, match="nothing to upscale"):
        upscale(Volume(np.full((3, 20, 20), value, np.int16), np.eye(4)))


@pytest.mark.parametrize(
    "wish",
    [
        {"output_type": "double"},
        {"detail": 1.5},
        {"detail": 0.5, "model": "mri-through-plane", "factor": None},
        {"device": "cuda:99"},
        {"quality": "good"},
        {"model": "no-such-model"},
        {"factor": 9},
    ],
    ids=str,
)
def test_a_wish_that_cannot_be_met_is_an_input_error(phantom, wish):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        upscale(phantom, UpscaleRequest(**{"model": SHIPPED[4], **wish}))


# ---------------------------------------------------------------- progress, cancelling, report


def test_progress_never_goes_back_and_ends_at_its_total(write_bundle, phantom):
    calls = []
    upscale(phantom, UpscaleRequest(factor=2, model=str(write_bundle())), lambda *call: calls.append(call))
    done = [call[0] for call in calls]
    assert done[0] == 0 and done == sorted(done)
    assert {call[1] for call in calls} == {5} and done[-1] == 5
    assert len(calls) >= 5
    assert all(isinstance(call[2], str) and call[2] for call in calls)


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_cancelled_run_stops_at_the_next_tile(write_bundle, make_phantom, after):
    polls, done = [], []

    def cancelled():
        polls.append(1)
        return len(polls) > after

    with pytest.raises(Cancelled):
        upscale(
            make_phantom((30, 20, 20)),
            UpscaleRequest(factor=2, model=str(write_bundle())),
            lambda *call: done.append(call[0]),
            cancelled,
        )
    assert len(polls) == after + 1
    assert max(done, default=0) <= after


def test_the_input_is_not_changed_and_the_result_shares_nothing_with_it(write_bundle, phantom):
    voxels, matrix = phantom.voxels.copy(), phantom.ijk_to_ras.copy()
    result = upscale(phantom, UpscaleRequest(factor=2, model=str(write_bundle()))).volume
    np.testing.assert_array_equal(phantom.voxels, voxels)
    np.testing.assert_array_equal(phantom.ijk_to_ras, matrix)
    assert not np.shares_memory(result.voxels, phantom.voxels)
    assert result.modality == "MR"


def test_the_same_request_gives_the_same_result(write_bundle, phantom, single_precision):
    request = UpscaleRequest(factor=2, model=str(write_bundle()))
    first, second = (upscale(phantom, request).volume.voxels for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_report_says_what_was_done_in_json(write_bundle, phantom):
    folder = write_bundle()
    digest = json.loads((folder / "configs" / "metadata.json").read_text())["super_resolution"]["weights"]["fidelity"]
    report = json.loads(json.dumps(upscale(phantom, UpscaleRequest(factor=2, model=str(folder))).report))
    assert report["program"] == f"SuperResolution {VERSION}"
    assert model_names(report) == "tiny" and report["steps"][0]["model_sha256"] == digest["sha256"]
    assert report["output"]["factors_ijk"] == [2, 2, 1]
    assert report["input"] == {
        "dimensions_ijk": [44, 40, 5],
        "spacing_mm_ijk": [1.0, 1.0, 3.0],
        "scalar_type": "int16",
    }
    assert report["output"]["dimensions_ijk"] == [88, 80, 5]
    assert report["output"]["spacing_mm_ijk"] == [0.5, 0.5, 3.0]
    assert report["device"] and report["device_label"]
    assert report["steps"][-1]["precision"] in ("float32", "bfloat16", "float16", "int8")
    assert report["seconds"] >= 0 and report["steps"][0]["slices"] == 5 and report["steps"][-1]["tiles"] >= 5
    assert report["warnings"] == []


def test_a_ct_and_a_sheared_volume_are_upscaled_with_a_warning(cubic, phantom):
    model = cubic()
    ct = Volume(phantom.voxels, phantom.ijk_to_ras, "CT")
    hounsfield = Volume(phantom.voxels - np.int16(1000), phantom.ijk_to_ras)
    for volume in (ct, hounsfield):
        assert "this is CT" in upscale(volume, UpscaleRequest(factor=2, model=model)).report["warnings"][0]
    matrix = phantom.ijk_to_ras.copy()
    matrix[0, 2] = 1.0
    warnings = upscale(Volume(phantom.voxels, matrix, "MR"), UpscaleRequest(factor=2, model=model)).report["warnings"]
    assert len(warnings) == 1 and "right angles" in warnings[0]


def test_running_out_of_memory_is_survived_and_reported(write_bundle, make_phantom, single_precision, monkeypatch):
    volume = make_phantom((2, 150, 140), air=3.0)
    request = UpscaleRequest(factor=2, model=str(write_bundle()))
    whole = upscale(volume, request).volume.voxels
    really = CompactNet.forward

    def forward(self, x):
        if max(x.shape[-2:]) > 100:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return really(self, x)

    monkeypatch.setattr(CompactNet, "forward", forward)
    result = upscale(volume, request)
    assert any("tiles were made smaller" in warning for warning in result.report["warnings"])
    assert np.abs(result.volume.voxels.astype(int) - whole.astype(int)).max() <= 1


def test_after_a_fall_back_the_report_names_the_device_that_did_the_work(write_bundle, make_phantom, monkeypatch):
    class FallenBack(inference.SliceInference):
        def __post_init__(self):
            self.device = torch.device("cpu")
            super().__post_init__()

    monkeypatch.setattr(inference, "SliceInference", FallenBack)
    devices = {"auto": Device("mps", "Apple GPU"), "cpu": Device("cpu", "CPU (2 threads)")}
    monkeypatch.setattr(upscaling, "choose_device", devices.__getitem__)
    report = upscale(make_phantom((1, 40, 44)), UpscaleRequest(factor=2, model=str(write_bundle()))).report
    assert (report["device"], report["device_label"]) == ("cpu", "CPU (2 threads)")


# ---------------------------------------------------------------- precision and real images


@pytest.mark.parametrize("name", ["bfloat16", "int8"])
def test_other_precisions_differ_from_float32_by_less_than_a_hundredth(make_phantom, monkeypatch, name):
    if name == "int8" and why_not():
        pytest.skip(why_not())
    results = []
    monkeypatch.setattr("SuperResolutionLib.models.precision.onednn.largest_weight", lambda: 127)
    for kind in ("float32", name):
        choice = precision.Choice(kind, "float32", "a test wants it")
        monkeypatch.setattr(precision, "fastest_precision", lambda network, device, choice=choice: choice)
        result = upscale(make_phantom((1, 60, 64)), UpscaleRequest(factor=2, model=SHIPPED[2], output_type="float"))
        assert result.report["steps"][-1]["precision"] == kind
        assert result.report["steps"][-1]["precision_because"] == "a test wants it"
        results.append(result.volume.voxels)
    assert np.abs(results[0] - results[1]).max() < 10  # of 1000


@pytest.mark.parametrize(
    "factor, modality, largest, precise",
    [
        (2, "CT", 127, "float32"),
        (4, "CT", 127, "float32"),
        (2, "MR", 63, "float32"),
        (4, "MR", 63, "int8"),
        (2, "MR", 127, "int8"),
    ],
)
def test_a_fast_network_does_not_run_in_8_bits_where_they_would_show(
    make_phantom, monkeypatch, factor, modality, largest, precise
):
    if why_not():
        pytest.skip(why_not())
    choice = precision.Choice("int8", "float32", "a test wants it")
    monkeypatch.setattr(precision, "fastest_precision", lambda network, device: choice)
    monkeypatch.setattr("SuperResolutionLib.models.precision.onednn.largest_weight", lambda: largest)
    volume = replace(make_phantom((1, 30, 34)), modality=modality)
    part = upscale(volume, UpscaleRequest(factor=factor, quality="fast")).report["steps"][-1]
    assert part["precision"] == precise
    assert ("8 bits lose too much" in part["precision_because"]) == (precise == "float32")


@pytest.mark.parametrize(
    "path",
    [
        get_testdata_file("MR_small.dcm"),
        get_testdata_file("CT_small.dcm"),
        Path(nibabel.__file__).parent / "tests" / "data" / "anatomical.nii",
    ],
    ids=lambda path: Path(path).name,
)
def test_real_images_that_come_with_pydicom_and_nibabel_are_upscaled(path):
    volume = read_volume(path)
    result = upscale(volume, UpscaleRequest(factor=2, model=SHIPPED[2]))
    np.testing.assert_allclose(result.volume.ras_bounds(), volume.ras_bounds(), atol=1e-6)
    assert result.volume.voxels.dtype == volume.voxels.dtype
    width, height, count = volume.dimensions
    averaged = result.volume.voxels.reshape(count, height, 2, width, 2).mean(axis=(2, 4))
    assert np.corrcoef(averaged.ravel(), volume.voxels.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("name", ["t2_prostatex0218_cor.nii.gz", "flair_openms-long_p04s1.nii.gz"])
def test_a_held_out_scan_keeps_its_place_and_brightness(scans, name):
    scan = read_volume(scans / "heldout" / name)
    middle = np.array(scan.dimensions) // 2
    volume = scan.cropped(tuple(middle - [48, 48, 1]), tuple(middle + [48, 48, 1]))
    result = upscale(volume, UpscaleRequest(factor=4, model=SHIPPED[4]))
    np.testing.assert_allclose(result.volume.ras_bounds(), volume.ras_bounds(), atol=1e-6)
    assert result.volume.voxels.dtype == volume.voxels.dtype
    averaged = result.volume.voxels.reshape(2, 96, 4, 96, 4).mean(axis=(2, 4))
    span = IntensityScale.of(volume.voxels).span
    assert np.sqrt(np.mean((averaged - volume.voxels) ** 2)) < 0.06 * span
    assert abs(averaged.mean() - volume.voxels.mean()) < 0.01 * span
