"""New slices: where they lie, that the acquired ones are kept, and what cannot go wrong on the way."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.slice_profile import PROFILES, slice_profile_weights, thick_slices
from SuperResolutionLib.acquisition.survey import survey
from SuperResolutionLib.errors import Cancelled, InputError
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.bundles import find_model
from SuperResolutionLib.models.devices import choose_device
from SuperResolutionLib.models.networks import NETWORKS, ThroughPlaneNet, neighbour_offsets
from SuperResolutionLib.models.networks.through_plane import cubic_rows, row_places
from SuperResolutionLib.upscaling import adaptation, reformats
from SuperResolutionLib.upscaling.adaptation import adapt
from SuperResolutionLib.upscaling.consistency import PROFILE
from SuperResolutionLib.upscaling.plan import plan
from SuperResolutionLib.upscaling.report import model_names
from SuperResolutionLib.upscaling.run import Run
from SuperResolutionLib.upscaling.steps.new_slices import ERRORS_ALIKE, of_both
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale

TINY = {"width": 8, "blocks": 1}
HELD_BAND = 0.25  # of the model folders that write_bundle writes


@pytest.fixture(params=[0, 2], ids="{} neighbours".format)
def untrained(request, write_bundle):
    """A model folder whose network was never trained: what it gives must be in the right place all the same."""
    arguments = {**TINY, "neighbours": request.param} if request.param else TINY
    return str(write_bundle("tiny", 8, "ThroughPlaneNet", arguments, axes="through the slices"))


@pytest.fixture
def cubic(write_bundle):
    """A model folder whose network adds nothing to cubic interpolation."""
    state = NETWORKS["ThroughPlaneNet"](**TINY).state_dict()
    state["row_weights.4.weight"].zero_()
    state["row_weights.4.bias"].zero_()
    return str(
        write_bundle("cubic", 8, "ThroughPlaneNet", TINY, weights={"fidelity": state}, axes="through the slices")
    )


@pytest.fixture(scope="module")
def sharp() -> Volume:
    """An isotropic volume of blobs, 48 x 40 x 36, float32 in [0, 1000], and nothing at its borders."""
    random = np.random.default_rng(5)
    k, j, i = np.indices((36, 40, 48), dtype=np.float32)
    voxels = np.zeros((36, 40, 48), np.float32)
    for _ in range(40):
        centre, width = random.uniform((8, 8, 8), (28, 32, 40)), random.uniform(1.2, 4)
        distance = (k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2
        voxels += np.exp(-distance / (2 * width**2))
    return Volume(1000 * voxels / voxels.max(), np.diag([1.0, 1.0, 1.0, 1.0]), "MR")


def thick(volume, spacing, thickness=1.0, profile="gaussian"):
    """Return the volume averaged along k into slices ``spacing`` voxels apart."""
    weights = slice_profile_weights(volume.voxels.shape[0], spacing, thickness * spacing, profile).float().numpy()
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, 2] * (spacing - 1) / 2
    matrix[:3, 2] *= spacing
    return Volume(np.tensordot(weights, volume.voxels, 1), matrix, "MR")


def centroid(volume):
    weights = volume.voxels.astype(float)
    index = [(np.indices(weights.shape)[axis] * weights).sum() / weights.sum() for axis in (2, 1, 0)]
    return volume.ijk_to_ras[:3, :3] @ index + volume.ijk_to_ras[:3, 3]


@settings(max_examples=12)
@given(factor=st.sampled_from([(1, 1, 2), (1, 1, 3), (1, 4, 1), (3, 1, 1), (1, 1, 7)]), oblique=st.booleans())
def test_new_slices_fill_the_box_of_the_old_ones(untrained, phantom, oblique_phantom, factor, oblique):
    volume = oblique_phantom if oblique else phantom
    result = upscale(volume, UpscaleRequest(factor=factor, model=untrained)).volume
    assert result.dimensions == tuple(np.multiply(volume.dimensions, factor))
    np.testing.assert_allclose(result.ras_bounds(), volume.ras_bounds(), atol=1e-6)
    assert result.voxels.dtype == volume.voxels.dtype


@pytest.mark.parametrize("wish", [{"isotropic": True}, {"spacing": (1, 1, 0.7)}, {"spacing": (1.3, 1.3, 1.3)}], ids=str)
def test_a_target_spacing_is_met_exactly_about_the_same_centre(untrained, phantom, wish):
    volume = replace(phantom, ijk_to_ras=np.diag([1.0, 1.0, 3.7, 1.0]))
    result = upscale(volume, UpscaleRequest(factor=None, model=untrained, **wish)).volume
    wanted = wish.get("spacing", (1, 1, 1))
    np.testing.assert_allclose(result.spacing, wanted, rtol=1e-9)
    np.testing.assert_allclose(result.ras_bounds().mean(axis=0), volume.ras_bounds().mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("model", ["cubic", None])
@pytest.mark.parametrize("spacing", [2, 3, 4])
def test_what_lies_between_slices_stays_in_its_place(sharp, cubic, model, spacing):
    request = UpscaleRequest(factor=(1, 1, spacing), model=cubic if model else None, consistency=model is None)
    result = upscale(thick(sharp, spacing), request).volume
    np.testing.assert_allclose(centroid(result), centroid(sharp), atol=0.05)


def test_the_shipped_model_beats_b_spline_interpolation_on_what_it_never_saw(sharp):
    coarse = thick(sharp, 4)
    ours = upscale(coarse, UpscaleRequest(factor=(1, 1, 4))).volume.voxels
    spline = interpolate(coarse, (1, 1, 4)).voxels
    errors = [np.square(image - sharp.voxels).mean() for image in (ours, spline)]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("thickness", [0.7, 1.0, 1.3])
def test_the_result_averaged_over_the_slices_gives_the_band_of_the_slices_again(sharp, untrained, thickness):
    coarse = thick(sharp, 4, thickness)
    request = UpscaleRequest(factor=(1, 1, 4), model=untrained, thickness=4 * thickness, output_type="float")
    result = upscale(coarse, request)
    weights = slice_profile_weights(36, 4, 4 * thickness, PROFILE).float().numpy()
    again = np.tensordot(weights, result.volume.voxels, 1)
    span = np.subtract(*np.percentile(coarse.voxels, [99.5, 0.5]))
    sigma = np.sqrt(2 * np.log(2)) / (np.pi * HELD_BAND)
    band = gaussian_filter1d(again - coarse.voxels, sigma, axis=0, mode="mirror", truncate=3)
    deviation = np.sqrt(np.square(band).mean()) / span
    step = result.report["steps"][-1]
    assert deviation < 0.01
    assert step["consistency"]["residual_percent"] == pytest.approx(100 * deviation, abs=0.1)
    assert step["thickness_mm"] == pytest.approx(4 * thickness) and step["thickness_from"] == "the request"
    free = upscale(coarse, replace(request, consistency=False)).report["steps"][-1]["consistency"]
    assert free["residual_percent"] > 2 * step["consistency"]["residual_percent"] and not free["held"]


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("profile", PROFILES)
def test_holding_costs_no_more_than_a_fifth_of_a_decibel_whatever_the_profile_and_the_noise(sharp, profile, noise):
    coarse = thick(sharp, 4, profile=profile)
    if noise:
        sigma = noise * np.subtract(*np.percentile(coarse.voxels, [99.5, 0.5]))
        noisy = add_rician_noise(torch.from_numpy(coarse.voxels.astype(np.float32)), sigma)
        coarse = replace(coarse, voxels=noisy.numpy())
    # Where there is signal: from air the network takes the mean of the Rician noise; holding gives it back. On scans
    # the bound is a tenth (Testing/benchmark/through_plane.py measures it); nine slices of blobs are no scan.
    signal = sharp.voxels > 100
    errors = [
        np.square(upscale(coarse, UpscaleRequest(factor=(1, 1, 4), consistency=held)).volume.voxels - sharp.voxels)[
            signal
        ].mean()
        for held in (True, False)
    ]
    assert 10 * np.log10(errors[0] / errors[1]) < 0.2


def test_a_region_equals_the_same_voxels_of_the_whole(phantom, untrained):
    whole = upscale(phantom, UpscaleRequest(factor=(1, 1, 3), model=untrained, output_type="float")).volume
    box = ((9, 12, 1), (20, 15, 4))
    part = upscale(phantom, UpscaleRequest(factor=(1, 1, 3), model=untrained, output_type="float", box=box)).volume
    np.testing.assert_allclose(part.voxels, whole.voxels[3:12, 12:15, 9:20], atol=0.2)
    corner = whole.ijk_to_ras @ [9, 12, 3, 1]
    np.testing.assert_allclose(part.ijk_to_ras[:, 3], corner, atol=1e-6)


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_sagittal_and_coronal_stacks_give_what_axial_ones_give(sharp, untrained, order):
    coarse = thick(sharp, 3)
    columns = [2 - axis for axis in reversed(order)]
    turned = Volume(coarse.voxels.transpose(order), coarse.ijk_to_ras[:, [*columns, 3]], "MR")
    request = UpscaleRequest(factor=None, isotropic=True, model=untrained)
    result, expected = (upscale(volume, request).volume for volume in (turned, coarse))
    np.testing.assert_allclose(result.voxels, expected.voxels.transpose(order), atol=2e-2)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_stacks_of_a_few_slices_are_served(make_phantom, count):
    volume = make_phantom((count, 30, 34))
    result = upscale(volume, UpscaleRequest(factor=None, isotropic=True)).volume
    assert result.dimensions == (34, 30, 3 * count)
    ends = [np.abs(result.voxels[end].astype(float) - volume.voxels[end]).mean() for end in (0, -1)]
    assert max(ends) < 0.1 * volume.voxels.max()


def test_fewer_new_slices_than_the_plane_is_fine_are_averages_of_finer_ones(sharp, cubic):
    coarse = thick(sharp, 6)
    request = {"model": cubic, "output_type": "float", "consistency": False}
    two, six = (upscale(coarse, UpscaleRequest(factor=(1, 1, n), **request)).volume for n in (2, 6))
    assert two.dimensions[2] == 12
    averaged = six.voxels.reshape(12, 3, *six.voxels.shape[1:]).mean(axis=1)
    assert np.abs(two.voxels - averaged).max() < 0.06 * sharp.voxels.max()


def test_the_slice_plane_and_new_slices_are_refined_together(oblique_phantom, write_bundle, untrained):
    request = UpscaleRequest(factor=(2, 2, 2), quality="fast")
    result = upscale(oblique_phantom, request)
    assert result.volume.dimensions == tuple(2 * size for size in oblique_phantom.dimensions)
    np.testing.assert_allclose(result.volume.ras_bounds(), oblique_phantom.ras_bounds(), atol=1e-6)
    assert model_names(result.report) == "mri-x2-compact and mri-through-plane"
    assert result.report["output"]["factors_ijk"] == [2, 2, 2] and result.report["steps"][0]["slices"] == 5
    box = ((10, 12, 1), (16, 20, 3))
    part = upscale(oblique_phantom, replace(request, box=box)).volume
    difference = part.voxels.astype(int) - result.volume.voxels[2:6, 24:40, 20:32]
    assert np.abs(difference).max() <= 0.01 * oblique_phantom.voxels.max()


def test_new_slices_have_an_expected_error_and_are_the_same_with_it(phantom):
    request = UpscaleRequest(factor=(1, 1, 3), output_type="float", device="cpu")
    result = upscale(phantom, replace(request, error=True))
    assert result.error.dimensions == result.volume.dimensions
    assert result.error.voxels.min() > 0 and result.error.voxels.max() < phantom.voxels.max()
    np.testing.assert_array_equal(result.volume.voxels, upscale(phantom, request).volume.voxels)


def test_the_error_expected_of_the_slice_plane_is_in_that_of_the_new_slices(phantom):
    request = UpscaleRequest(factor=(2, 2, 3), quality="fast", device="cpu", error=True)
    whole = upscale(phantom, request).error
    todo = plan(survey(phantom), request)
    run = Run(todo.survey, choose_device("cpu"), lambda *step: None, lambda: False)
    plane = todo.steps[0].run(phantom, run)
    alone = todo.steps[1].run(plane.volume, run).error
    together = todo.steps[1].run(plane.volume, run, plane.error).error
    np.testing.assert_array_equal(together.voxels, whole.voxels)
    of_rows = ERRORS_ALIKE * alone.voxels
    added = np.sqrt(np.maximum(of_rows**2 + together.voxels**2 - alone.voxels**2, 0)) - of_rows
    assert added.mean() == pytest.approx(plane.error.voxels.mean(), rel=0.1)


def test_errors_of_slices_and_of_what_lies_between_add_up_to_more_than_independent_ones_and_less_than_their_sum():
    rows, slices = np.float32([3, 3, 0]), np.float32([4, 0, 4])
    both = of_both(rows, slices)
    assert 5 < both[0] < 7 and both.dtype == np.float32
    np.testing.assert_array_equal(both[1:], [3, 4])


def test_an_ensemble_of_a_mirrored_stack_is_the_mirrored_ensemble(sharp, untrained):
    coarse = thick(sharp, 3)
    mirrored = replace(coarse, voxels=coarse.voxels[::-1])
    request = UpscaleRequest(factor=(1, 1, 3), model=untrained, quality="best")
    results = [upscale(volume, request).volume.voxels for volume in (coarse, mirrored)]
    np.testing.assert_allclose(results[0], results[1][::-1], atol=0.5)


def test_air_around_the_patient_stays_what_it_is(phantom, untrained):
    request = UpscaleRequest(factor=(1, 1, 3), model=untrained, consistency=False)
    padded = np.pad(phantom.voxels, ((0, 0), (20, 20), (20, 20)))
    result = upscale(replace(phantom, voxels=padded), request).volume.voxels
    assert (result[:, :10] == 0).all() and (result[:, :, -10:] == 0).all()


def test_slices_too_far_apart_for_the_training_are_named(make_phantom, untrained):
    volume = make_phantom((4, 24, 24), matrix=np.diag([0.5, 0.5, 6.0, 1.0]))
    report = upscale(volume, UpscaleRequest(factor=None, isotropic=True, model=untrained)).report
    assert any("12.0 pixels apart" in warning for warning in report["warnings"])


def test_a_cancelled_run_stops_within_a_batch(phantom, untrained, monkeypatch):
    monkeypatch.setitem(reformats.PIXELS_AT_ONCE, "cpu", 400)
    calls = []
    with pytest.raises(Cancelled):
        upscale(
            phantom,
            UpscaleRequest(factor=(1, 1, 3), model=untrained),
            progress=lambda *step: calls.append(step),
            cancelled=lambda: len(calls) > 3,
        )
    assert len(calls) <= 6 and calls[-1][1] == 84


def test_progress_counts_every_reformat_once(phantom, untrained):
    calls = []
    upscale(phantom, UpscaleRequest(factor=(1, 1, 3), model=untrained), progress=lambda *step: calls.append(step))
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert calls[0][0] == 0 and calls[-1][:2] == (calls[-1][1], calls[0][1])


def test_when_memory_runs_out_fewer_reformats_are_run_at_once(phantom, untrained, monkeypatch):
    request = UpscaleRequest(factor=(1, 1, 3), model=untrained)
    expected = upscale(phantom, request).volume.voxels
    forward = ThroughPlaneNet.forward

    def short_of_memory(self, reformats, *arguments):
        if len(reformats) > 4:
            raise RuntimeError("CUDA out of memory")
        return forward(self, reformats, *arguments)

    monkeypatch.setattr(ThroughPlaneNet, "forward", short_of_memory)
    result = upscale(phantom, request)
    np.testing.assert_allclose(result.volume.voxels, expected, atol=1)
    assert any("fewer reformats" in warning for warning in result.report["warnings"])


def test_reformats_see_those_beside_them_in_the_order_that_the_network_wants():
    seen = []

    class Watched(ThroughPlaneNet):
        def forward(self, reformats, spacing, thickness, places, noise, apart):
            seen.append((reformats.clone(), noise, apart))
            return super().forward(reformats, spacing, thickness, places, noise, apart)

    slices = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    inference = reformats.ReformatInference(Watched(**TINY, neighbours=2), torch.device("cpu"), ensemble=True)
    inference(slices, (6.0, 4.0), 1.0, row_places(4, 3.0), 0.03)
    (along_w, noise, apart), (along_h, _, other_apart) = seen[0], seen[4]
    assert noise == 0.03 and (apart, other_apart) == (pytest.approx(4 / 6), pytest.approx(6 / 4))
    for batch, cuts in ((along_w, slices.swapaxes(0, 1)), (along_h, np.moveaxis(slices, 2, 0))):
        last = len(cuts) - 1
        for number in range(len(cuts)):
            beside = [min(max(number + offset, 0), last) for offset in (0, -1, 1, -2, 2)]
            np.testing.assert_array_equal(batch[number], cuts[beside])


def test_the_only_row_of_a_plane_has_no_neighbours_and_the_network_is_told():
    told = []

    class Watched(ThroughPlaneNet):
        def forward(self, *arguments):
            told.append(arguments[-1])
            return super().forward(*arguments)

    inference = reformats.ReformatInference(Watched(**TINY, neighbours=2), torch.device("cpu"))
    slices = np.random.default_rng(0).random((4, 1, 6), dtype=np.float32)
    assert inference(slices, (3.0, 3.0), 1.0, row_places(4, 3.0))[0].shape == (12, 1, 6)
    assert told == [0.0, 1.0]


@pytest.mark.parametrize("neighbours", [0, 2])
def test_adapting_learns_the_scan_and_leaves_the_model_as_it_was(sharp, neighbours):
    torch.manual_seed(0)
    network = ThroughPlaneNet(**TINY, neighbours=neighbours).requires_grad_(False)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    slices = sharp.voxels[6:30] / 1000
    steps = []

    def run():
        return adapt(
            network, slices, (4.0, 4.0), 1.0, 0.0, torch.device("cpu"), lambda *s: steps.append(s), lambda: None, 40
        )

    adapted = run()
    images = torch.from_numpy(slices)
    coarse = torch.stack([thick_slices(image, 0, 40, 10, 4, 1.0) for image in images])[:, None]

    def error(net):
        with torch.inference_mode():
            return float((net(coarse, 4.0, 1.0) - images[:, None]).square().mean())

    assert error(adapted) < 0.9 * error(network)
    assert steps[0][:2] == (0, 40) and steps[-1][:2] == (40, 40)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
    again = run()
    for first, second in zip(adapted.parameters(), again.parameters()):
        torch.testing.assert_close(first, second)


def test_a_network_that_learns_nothing_of_use_runs_as_it_was_and_that_is_said(phantom, untrained, monkeypatch):
    monkeypatch.setattr(adaptation, "adapt", functools.partial(adaptation.adapt, steps=3))
    monkeypatch.setattr(adaptation, "BETTER", 1.0)  # three steps teach little
    request = UpscaleRequest(factor=(1, 1, 3), model=untrained, output_type="float")
    plain = upscale(phantom, request).volume.voxels
    for rate, helps in ((1e-3, True), (10.0, False)):
        monkeypatch.setattr(adaptation, "LEARNING_RATE", rate)
        result = upscale(phantom, replace(request, adapt=True))
        assert result.report["steps"][-1]["adapted"] is helps
        assert any("ran as it was" in warning for warning in result.report["warnings"]) is not helps
        assert np.array_equal(result.volume.voxels, plain) is not helps


def test_detail_that_the_model_does_not_have_is_refused(phantom, untrained):
    with pytest.raises(InputError, match="set detail to 0"):
        upscale(phantom, UpscaleRequest(factor=(1, 1, 3), model=untrained, detail=0.5))


def test_adapting_can_be_cancelled(phantom, untrained):
    steps = []
    request = UpscaleRequest(factor=(1, 1, 3), model=untrained, adapt=True)
    with pytest.raises(Cancelled):
        upscale(phantom, request, lambda *step: steps.append(step), lambda: len(steps) > 5)
    assert steps[-1][2] == "Adapting to this scan" and len(steps) < 9


def test_a_ct_gets_its_own_network_and_that_for_mri_with_a_warning_only(make_phantom):
    volume = replace(make_phantom(air=-1000.0), modality="CT")
    report = upscale(volume, UpscaleRequest(factor=(1, 1, 3))).report
    assert model_names(report) == "ct-through-plane"
    assert not any("was trained on" in warning for warning in report["warnings"])
    report = upscale(volume, UpscaleRequest(factor=(1, 1, 3), model="mri-through-plane")).report
    assert any("mri-through-plane was trained on MR" in warning for warning in report["warnings"])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32])
@pytest.mark.parametrize("wishes", [{"factor": (1, 1, 2)}, {"factor": None, "spacing": (1, 1, 1.3)}], ids=str)
def test_values_at_the_types_limits_do_not_wrap_through_the_slices(cubic, dtype, wishes):
    limits = np.iinfo(dtype)
    voxels = np.full((6, 16, 16), limits.min, dtype)
    voxels[:, 4:12, 4:12] = limits.max
    volume = Volume(voxels, np.diag([1.0, 1.0, 3.0, 1.0]))
    result = upscale(volume, UpscaleRequest(model=cubic, quality="fast", device="cpu", **wishes)).volume.voxels
    assert result.dtype == dtype
    assert result[:, 6:10, 6:10].min() > 0.9 * limits.max
    assert result[:, :2].max() < limits.min + 0.1 * (float(limits.max) - limits.min)


def test_neighbours_out_of_place_do_not_smear(sharp):
    network = find_model("ct-through-plane").load(0.0)
    weights = slice_profile_weights(36, 4, 4, "boxcar").float()
    organs = np.clip((sharp.voxels - 150) / 20, 0, 1) * 0.5 + 0.3  # with edges as sharp as those of CT
    cuts = torch.from_numpy(organs).swapaxes(0, 1)[14:26]
    coarse, beside = torch.einsum("sk,nkw->nsw", weights, cuts), torch.arange(2, 10)[:, None]
    reformats = coarse[beside + torch.tensor(neighbour_offsets(2))]
    moved = torch.cat([reformats[:, :1], reformats[:, 1:].roll(2, -1)], dim=1)

    def error(images):
        return float((network(images, 4.0, 1.0, noise=0.002, apart=1.0) - cuts[2:10, None]).square().mean())

    interpolated = float(
        (torch.einsum("rk,nkw->nrw", cubic_rows(9, row_places(9, 4.0)), coarse[2:10]) - cuts[2:10]).square().mean()
    )
    assert error(reformats) < 0.7 * interpolated
    assert error(moved) < 1.15 * error(reformats)
