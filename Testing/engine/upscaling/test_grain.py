import numpy as np
import pytest
import torch

from SuperResolutionLib import InputError, UpscaleRequest, upscale
from SuperResolutionLib.acquisition.operators import area_average
from SuperResolutionLib.evaluation.lines import line_coherence
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.upscaling.grain import IN_FLAT_TISSUE, Grain
from Testing.benchmark.head_phantom import head, noisy_head

EDGE = 24


@pytest.fixture
def halves():
    """A fine image of two flat halves, and what a scanner measured of it: the same, with noise."""
    fine = torch.zeros(1, 1, 96, 96)
    fine[..., 2 * EDGE :] = 1
    noise = 0.03 * torch.randn(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    return fine, area_average(fine, 2) + noise


def test_all_of_the_grain_makes_the_result_agree_with_the_scan(halves):
    fine, measured = halves
    left = [(measured - area_average(Grain(share).added(fine, measured, 2), 2)).std() for share in (0.0, 0.5, 1.0)]
    assert left[0] == pytest.approx(0.03, rel=0.05)
    assert left[1] < 0.7 * left[0] and left[2] < 0.4 * left[0]


def test_no_grain_is_no_change(halves):
    fine, measured = halves
    assert Grain(0).added(fine, measured, 2) is fine


def test_half_of_the_grain_comes_back_in_flat_tissue_and_hardly_any_on_an_edge(halves):
    fine, measured = halves
    everywhere, by_default = (Grain(share).added(fine, measured, 2) - fine for share in (IN_FLAT_TISSUE, None))
    flat, edge = np.s_[..., 4 : 2 * EDGE - 20], np.s_[..., 2 * EDGE - 2 : 2 * EDGE + 2]
    assert by_default[flat].std() > 0.8 * everywhere[flat].std()
    assert by_default[edge].std() < 0.1 * everywhere[edge].std()


def test_where_nothing_is_lacking_nothing_is_added():
    fine = torch.full((1, 1, 16, 16), 0.25)
    torch.testing.assert_close(Grain(None).added(fine, area_average(fine, 4), 4), fine, rtol=0, atol=0)


def test_a_single_row_has_grain_too():
    fine, measured = torch.zeros(1, 1, 4, 64), torch.ones(1, 1, 1, 16)
    torch.testing.assert_close(Grain(1).added(fine, measured, 4), torch.ones_like(fine))


@pytest.mark.parametrize("zero_filled", [False, True], ids=["white", "zero-filled"])
@pytest.mark.parametrize("factor", [2, 4])
def test_at_default_settings_noise_in_flat_tissue_is_no_more_drawn_as_lines_than_a_quarter(factor, zero_filled):
    scan, flat = noisy_head(6, zero_filled, 128), head(128)[1].repeat(factor, 1).repeat(factor, 2)
    requests = (UpscaleRequest(factor=factor, quality="fast", grain=grain, output_type="float") for grain in (0, None))
    results = [*(upscale(scan, request).volume for request in requests), interpolate(scan, (factor, factor, 1))]
    acquired = factor * (2 if zero_filled else 1)
    drawn, by_default, interpolated = (line_coherence(result.voxels, flat, acquired) for result in results)
    assert by_default <= 0.25
    assert by_default - interpolated < 0.9 * (drawn - interpolated)


def test_without_consistency_the_networks_answer_stays_as_it_is_unless_grain_is_asked_for(phantom):
    requests = [UpscaleRequest(factor=2, quality="fast", consistency=False, grain=grain) for grain in (None, 0, 0.5)]
    by_default, without, asked_for = (upscale(phantom, request).volume.voxels for request in requests)
    np.testing.assert_array_equal(by_default, without)
    assert (asked_for != without).any()


@pytest.mark.parametrize("grain", [-0.1, 1.5, float("nan")])
def test_a_share_beyond_0_and_1_is_refused(phantom, grain):
    with pytest.raises(InputError, match="between 0 and 1"):
        upscale(phantom, UpscaleRequest(factor=2, grain=grain))


def test_grain_where_the_slice_plane_stays_is_refused(phantom):
    with pytest.raises(InputError, match="where the slice plane is refined"):
        upscale(phantom, UpscaleRequest(factor=(1, 1, 2), grain=0.5))


def test_the_report_says_how_much_came_back(phantom):
    said = [
        upscale(phantom, UpscaleRequest(factor=2, quality="fast", grain=grain)).report["steps"][0]["grain"]
        for grain in (0, 0.25, None)
    ]
    assert said[0] == "none"
    assert said[1].startswith("0.25 of the grain") and said[2].startswith("0.5 of the grain")
    assert said[2].endswith("in flat tissue")
