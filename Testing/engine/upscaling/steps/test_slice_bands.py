"""Slices that differ in brightness by turns: new slices make that no stronger, and ``level`` takes it out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from SuperResolutionLib.acquisition import survey as survey_file
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling import adaptation
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale

THIN = UpscaleRequest(factor=(1, 1, 4), output_type="float")


@pytest.fixture(scope="module")
def even() -> Volume:
    """Fourteen slices of 44 x 40 voxels of 1 x 1 x 4 mm of tissue that changes from slice to slice, int16."""
    texture = gaussian_filter(np.random.default_rng(2).normal(size=(14, 40, 44)), (1, 2.5, 2.5))
    voxels = 500 * (1 + 0.25 * texture / texture.std()).clip(0.2)
    return Volume(voxels.round().astype(np.int16), np.diag([1.0, 1.0, 4.0, 1.0]), "MR")


def banded(volume, share):
    voxels = volume.voxels.astype(float)
    voxels[1::2] *= 1 + share
    return replace(volume, voxels=voxels.round().astype(np.int16))


def bands(result, even_result):
    """Return by which share the brightest rows are above the darkest, against what an even stack becomes."""
    share = result.voxels.astype(float).mean(axis=(1, 2)) / even_result.voxels.astype(float).mean(axis=(1, 2))
    inner = share[4:-4]
    return inner.max() / inner.min() - 1


@pytest.mark.parametrize("share", [0.05, 0.15])
@pytest.mark.parametrize(
    "wishes",
    [{}, {"consistency": False}, {"factor": None, "isotropic": True}, {"factor": (2, 2, 2), "quality": "fast"}],
    ids=str,
)
def test_bands_are_no_stronger_than_they_were_and_level_takes_them_out(even, share, wishes):
    request = replace(THIN, **wishes)
    expected = upscale(even, request).volume
    kept, levelled = (upscale(banded(even, share), replace(request, level=level)).volume for level in (False, True))
    assert 0.5 * share < bands(kept, expected) < share + 0.003
    assert bands(levelled, expected) < 0.1 * share


def test_bands_that_are_not_found_are_made_no_stronger(even, monkeypatch):
    expected = upscale(even, THIN).volume
    monkeypatch.setattr(survey_file, "find_slice_bands", lambda *stack: None)
    assert abs(bands(upscale(banded(even, 0.15), THIN).volume, expected)) < 0.15


def test_each_acquired_slice_keeps_its_own_brightness(even):
    coarse = banded(even, 0.15)
    fine = upscale(coarse, replace(THIN, factor=(1, 1, 3))).volume
    middles, slices = fine.voxels[1::3].mean(axis=(1, 2)), coarse.voxels.mean(axis=(1, 2))
    even_share = upscale(even, replace(THIN, factor=(1, 1, 3))).volume.voxels[1::3].mean(
        axis=(1, 2)
    ) / even.voxels.mean(axis=(1, 2))
    np.testing.assert_allclose(middles / slices, even_share, rtol=0.005)


@pytest.mark.parametrize("level", [False, True])
def test_a_stack_without_bands_is_not_touched(even, level, monkeypatch):
    result = upscale(even, replace(THIN, level=level))
    monkeypatch.setattr(survey_file, "find_slice_bands", lambda *stack: None)
    assert np.array_equal(result.volume.voxels, upscale(even, THIN).volume.voxels)
    assert result.report["steps"][-1]["slice_bands"] == "none" and result.report["survey"]["slice_bands"] is None
    assert not result.report["warnings"]


def test_a_region_has_the_bands_that_it_has_within_the_whole(even):
    coarse = banded(even, 0.15)
    whole, part = (upscale(coarse, replace(THIN, box=box)).volume for box in (None, ((6, 8, 5), (30, 28, 9))))
    np.testing.assert_allclose(part.voxels, whole.voxels[20:36, 8:28, 6:30], rtol=1e-3)


@pytest.mark.parametrize("level, what", [(False, "put back"), (True, "taken out")])
def test_the_report_says_what_was_found_and_done(even, level, what):
    report = upscale(banded(even, 0.15), replace(THIN, level=level)).report
    found = report["survey"]["slice_bands"]
    assert found["period"] == 2 and found["swing_percent"] == pytest.approx(15, abs=0.5)
    assert found["gains"][1] / found["gains"][0] == pytest.approx(1.15, abs=0.005)
    assert report["steps"][-1]["slice_bands"] == what
    assert report["steps"][-1]["consistency"]["residual_percent"] < 0.5
    said = next(warning for warning in report["warnings"] if "every second slice" in warning)
    assert ("--level" in said) is not level


def test_the_expected_error_is_as_bright_as_its_slice(even):
    request = replace(THIN, factor=(1, 1, 3), error=True)
    kept, levelled = (upscale(banded(even, 0.15), replace(request, level=level)) for level in (False, True))
    ratio = [
        a.voxels[1::3].mean(axis=(1, 2)) / b.voxels[1::3].mean(axis=(1, 2))
        for a, b in ((kept.volume, levelled.volume), (kept.error, levelled.error))
    ]
    np.testing.assert_allclose(ratio[0], ratio[1], rtol=0.01)


def test_the_network_adapts_to_levelled_slices(even, monkeypatch):
    seen = []

    def adapted(network, slices, *others):
        seen.append(slices.mean(axis=(1, 2)))
        return network

    monkeypatch.setattr(adaptation, "adapt", adapted)
    for volume in (even, banded(even, 0.15)):
        upscale(volume, replace(THIN, adapt=True))
    ratio = seen[1] / seen[0]
    assert np.median(ratio[1::2]) / np.median(ratio[::2]) == pytest.approx(1, abs=0.005)


def test_hounsfield_units_stay_as_they_are(even):
    volume = replace(banded(even, 0.15), modality="CT")
    results = [upscale(volume, replace(THIN, level=level)) for level in (False, True)]
    assert np.array_equal(*(result.volume.voxels for result in results))
    assert results[1].report["steps"][-1]["slice_bands"] == "none"
