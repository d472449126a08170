import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.errors import Cancelled, InputError
from SuperResolutionLib.fusion.extent import fused_grid
from SuperResolutionLib.fusion.fuse import fuse
from SuperResolutionLib.fusion.placing import place
from SuperResolutionLib.fusion.request import FuseRequest
from SuperResolutionLib.geometry.volume import Volume

PLAIN = {"sharpen": False, "output_type": "float"}


def decibels(image, truth):
    inside = truth > 100
    return 10 * np.log10(np.ptp(truth) ** 2 / np.mean((image - truth)[inside] ** 2))


def interpolated(stacks, truth):
    one_by_one = [fuse([each, each], FuseRequest(motion="none", **PLAIN)).volume for each in stacks]
    return np.mean([volume.voxels for volume in one_by_one], axis=0)


def test_aligned_stacks_without_noise_recover_the_truth_far_better_than_the_mean_of_what_each_shows(
    truth, three_stacks
):
    fused = fuse(three_stacks, FuseRequest(motion="none", **PLAIN)).volume
    np.testing.assert_allclose(fused.ijk_to_ras, truth.ijk_to_ras, atol=1e-9)
    assert decibels(fused.voxels, truth.voxels) > decibels(interpolated(three_stacks, truth), truth.voxels) + 4


def test_a_known_shift_and_turn_is_found_to_three_tenths_of_a_millimetre(truth, stack, movement):
    moved = movement((2, -3, 1), (1.5, -2, 1))
    found = place([stack(truth, noise=6), stack(truth, "coronal", moved, 1.2, 6, 1)])[1].movement
    corners = np.array([[x, y, z, 1.0] for x in (8, 40) for y in (8, 40) for z in (8, 40)])
    assert np.linalg.norm((corners @ (found - moved).T)[:, :3], axis=1).mean() < 0.3


def test_moved_stacks_of_other_brightness_are_placed_and_levelled(truth, stack, movement):
    moved = movement((2, -3, 1), (1.5, -2, 1))
    gain = 1.2 * np.exp(0.1 * np.linspace(-1, 1, 12))[:, None, None]
    stacks = [
        stack(truth, noise=6),
        stack(truth, "coronal", moved, gain, 6, 1),
        stack(truth, "sagittal", None, 0.8, 6, 2),
    ]
    result = fuse(stacks, FuseRequest(extent="first", **PLAIN))
    scans = result.report["steps"][0]["scans"]
    assert scans[1]["gain"] == pytest.approx(1.2, rel=0.05)
    assert scans[2]["gain"] == pytest.approx(0.8, rel=0.05)
    with pytest.raises(InputError, match=r"^Scan 2 does not fit scan 1 where its file puts it .*--force\.$"):
        fuse(stacks, FuseRequest(motion="none", **PLAIN))
    unmoved = fuse(stacks, FuseRequest(motion="none", extent="first", force=True, **PLAIN))
    assert decibels(result.volume.voxels, truth.voxels) > decibels(unmoved.volume.voxels, truth.voxels) + 2


degrees = st.floats(-40, 40)


@given(turns=st.tuples(degrees, degrees, degrees), others=st.tuples(degrees, degrees, degrees))
def test_the_result_fills_the_box_of_an_oblique_reference_and_holds_the_others(movement, turns, others):
    first, second = (
        Volume(np.zeros((6, 20, 24), np.int16), movement(angles) @ np.diag([1.0, 1.0, 4.0, 1.0]), "MR")
        for angles in (turns, others)
    )
    alone = fused_grid([first, second], 1.0, "first")
    np.testing.assert_allclose(
        Volume(np.zeros(alone.dimensions[::-1], np.int16), alone.ijk_to_ras).ras_bounds(), first.ras_bounds(), atol=1e-4
    )
    union = fused_grid([first, second], 1.0, "union")
    at = np.linalg.solve(union.ijk_to_ras, second.ijk_to_ras @ [[0, 23], [0, 19], [0, 5], [1, 1]])[:3]
    assert (at > -0.5).all() and (np.array(union.dimensions) - 0.5 > at.T).all()
    steps = np.linalg.solve(union.ijk_to_ras, first.ijk_to_ras)
    np.testing.assert_allclose(steps[:2, 3], np.rint(steps[:2, 3]), atol=1e-4)


def test_a_slice_that_does_not_fit_counts_less_and_is_named(truth, three_stacks):
    spoilt = three_stacks[0].voxels.copy()
    spoilt[5] = np.roll(spoilt[5], 6, axis=1)
    stacks = [Volume(spoilt, three_stacks[0].ijk_to_ras, "MR", 4.0, 2), *three_stacks[1:]]
    result = fuse(stacks, FuseRequest(motion="none", **PLAIN))
    assert result.report["steps"][0]["scans"][0]["doubted_slices"].count(5) == 1
    assert any("5" in sentence and "count less" in sentence for sentence in result.report["decisions"])


def test_what_no_scan_covers_is_empty_and_the_result_keeps_type_and_frame(truth, three_stacks):
    half = three_stacks[1].cropped((0, 0, 0), (48, 48, 6))
    result = fuse([half, three_stacks[0]], FuseRequest(motion="none", sharpen=False, extent="union"))
    assert result.volume.voxels.dtype == np.int16
    assert result.volume.dimensions == (48, 48, 48)
    common = fuse([half, three_stacks[0]], FuseRequest(motion="none", sharpen=False, extent="common"))
    assert common.volume.dimensions == (48, 48, 24)
    np.testing.assert_allclose(common.volume.ras_bounds(), half.ras_bounds(), atol=1e-4)


def test_another_contrast_is_refused_though_its_detail_agrees(truth, stack, movement):
    # Bright tissue is dark, as cerebrospinal fluid is in T1; the outline and all edges remain where they are.
    other = Volume(np.where(truth.voxels > 60, 1100 - 0.75 * truth.voxels, truth.voxels), truth.ijk_to_ras, "MR")
    stacks = [stack(truth, noise=6), stack(other, "coronal", movement((1, 1, 0), (1, 0, 1)), noise=6)]
    with pytest.raises(InputError, match=r"^Scan 2 has another contrast than scan 1 .*--force\.$"):
        fuse(stacks, FuseRequest(sharpen=False))
    forced = fuse(stacks, FuseRequest(sharpen=False, force=True))
    assert forced.report["steps"][0]["scans"][1]["contrast_departure"] > 0.3


def test_another_patient_and_another_region_are_refused(truth, patient, stack, three_stacks):
    with pytest.raises(InputError, match=r"^Scan 2 (cannot be aligned|has another contrast) .*--force\.$"):
        fuse([three_stacks[0], stack(patient(seed=5), "coronal")], FuseRequest(sharpen=False))
    far = np.eye(4)
    far[0, 3] = 300
    elsewhere = Volume(three_stacks[1].voxels, far @ three_stacks[1].ijk_to_ras, "MR", 4.0, 2)
    with pytest.raises(InputError, match="shows hardly anything"):
        fuse([three_stacks[0], elsewhere])
    with pytest.raises(InputError, match="two scans"):
        fuse([three_stacks[0]])


@pytest.mark.parametrize("scene", ["noise", "bias", "half of it"])
def test_one_contrast_is_not_refused(truth, stack, movement, scene):
    gain = np.exp(0.25 * np.linspace(-1, 1, 12))[:, None, None] if scene == "bias" else 1.3
    other = stack(truth, "coronal", movement((2, 1, -2), (1, 2, -1)), gain, 40 if scene == "noise" else 6)
    if scene == "half of it":
        other = other.cropped((0, 0, 3), (48, 48, 9))
    alike = place([stack(truth, noise=40 if scene == "noise" else 6), other])[1].likeness
    assert alike.detail > 0.6
    assert alike.departure < 0.12


def test_progress_ends_and_a_cancelled_fusion_stops(three_stacks):
    told = []
    fuse(three_stacks[:2], FuseRequest(motion="none", **PLAIN), progress=lambda *words: told.append(words))
    assert told[-1][0] == told[-1][1]
    seen = []
    with pytest.raises(Cancelled):
        fuse(three_stacks[:2], progress=lambda *words: seen.append(words), cancelled=lambda: len(seen) > 2)
    assert len(seen) <= 4


def test_two_planes_are_better_than_either(truth, three_stacks):
    both = fuse(three_stacks[:2], FuseRequest(motion="none", **PLAIN)).volume
    alone = [interpolated([each], truth) for each in three_stacks[:2]]
    assert decibels(both.voxels, truth.voxels) > max(decibels(image, truth.voxels) for image in alone) + 2


@pytest.mark.parametrize("motion", ["none", "stacks"])
def test_two_stacks_of_one_plane_whose_slices_lie_between_each_others_are_better_than_either(
    truth, stack, movement, motion
):
    between = movement(shift=(0, 0, 2.0))
    shifted = stack(truth, movement=between)
    stacks = [stack(truth), Volume(shifted.voxels, between @ shifted.ijk_to_ras, "MR", 4.0, 2)]
    result = fuse(stacks, FuseRequest(motion=motion, extent="first", **PLAIN))
    assert result.report["steps"][0]["scans"][1]["moved_mm"] < 0.3
    alone = interpolated(stacks[:1], truth)
    assert decibels(result.volume.voxels, truth.voxels) > decibels(alone, truth.voxels) + 1.5


def test_air_about_the_patient_is_not_solved_for_and_stays_as_the_scans_show_it(truth, stack):
    random, stacks = np.random.default_rng(0), []
    for plane in ("transverse", "coronal"):
        scan = stack(truth, plane, noise=6)
        matrix = scan.ijk_to_ras.copy()
        matrix[:3, 3] -= matrix[:3, :2] @ [24, 24]
        voxels = 7 + np.rint(random.normal(0, 2, (12, 96, 96))).astype(np.int16)
        voxels[:, 24:72, 24:72] = scan.voxels
        stacks.append(Volume(voxels, matrix, "MR", 4.0, 2))
    result = fuse(stacks, FuseRequest(motion="none", extent="first", **PLAIN)).volume
    narrow = fuse(
        [stack(truth, plane, noise=6) for plane in ("transverse", "coronal")], FuseRequest(motion="none", **PLAIN)
    )
    assert result.dimensions == (96, 96, 48)
    assert result.voxels[:, :8, :8].mean() == pytest.approx(7, abs=0.5)
    assert decibels(result.voxels[:, 24:72, 24:72], truth.voxels) > decibels(narrow.volume.voxels, truth.voxels) - 0.3


def test_the_same_scans_give_the_same_volume(truth, stack, movement):
    stacks = [stack(truth), stack(truth, "coronal", movement((1, 1, 1)))]
    one, other = (fuse(stacks, FuseRequest(sharpen=False)).volume for _ in range(2))
    np.testing.assert_array_equal(one.voxels, other.voxels)
