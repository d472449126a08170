"""The evaluation: what the methods see, and how they are scored."""

import json

import numpy as np
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.evaluation.evaluate import evaluate
from SuperResolutionLib.evaluation.methods import METHOD_LABELS
from SuperResolutionLib.evaluation.table import format_table, summarise
from SuperResolutionLib.evaluation.truths import DEGRADATIONS, choose_slices
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.geometry.volume import Volume


def bspline(volume, factors, step):
    return interpolate(volume, factors, "bspline")


def nearest(volume, factors, step):
    return interpolate(volume, factors, "nearest")


def gains(evaluation, method):
    return {row["degradation"]: row["gain"] for row in summarise(evaluation.records) if row["method"] == method}


def test_the_evaluation_scores_a_soft_scan_against_the_soft_one(scan):
    records = evaluate([scan], 4, ["kspace", "kspace-soft"]).records
    sharp, soft = (r["psnr"] for r in records if r["method"] == "bspline")
    assert soft > sharp + 2


def test_the_best_gaussian_is_never_worse_than_none_and_helps_on_noise(scan):
    evaluation = evaluate([scan], 2, ["kspace", "kspace-noise5"])
    gain = gains(evaluation, "gaussian")
    assert gain["kspace"] >= 0
    assert gain["kspace-noise5"] > 0.3


def test_the_noise_ratio_says_how_much_of_the_inputs_background_noise_is_left(tmp_path):
    random = np.random.default_rng(0)
    voxels = np.abs(random.normal(0, 20, (6, 96, 96)) + 1j * random.normal(0, 20, (6, 96, 96)))
    voxels[:, 32:64, 32:64] += 1000
    path = tmp_path / "noisy.nrrd"
    write_volume(Volume(voxels.astype(np.int16), np.diag([1.0, 1, 3, 1])), path)
    rows = {row["method"]: row for row in summarise(evaluate([path], 2, ["area"]).records)}
    assert rows["nearest"]["noise_ratio"] == pytest.approx(1, abs=0.05)
    assert rows["linear"]["noise_ratio"] < 0.8


def test_all_methods_are_scored_and_order_as_they_should(scan):
    evaluation = evaluate([scan], 2, ours=bspline)
    assert len(evaluation.records) == len(DEGRADATIONS) * len(METHOD_LABELS)
    area = {r["method"]: r["psnr"] for r in evaluation.records if r["degradation"] == "area"}
    assert area["nearest"] < area["linear"] < area["bspline"] < area["back-projection"]
    assert gains(evaluation, "ours") == dict.fromkeys(DEGRADATIONS, 0.0)
    assert evaluation.records[0]["plane"] == "ij"
    assert json.loads(json.dumps(evaluation.records)) == evaluation.records


def test_the_method_under_test_sees_the_stored_volume_and_its_factors_and_nothing_else(scan):
    seen = []

    def spy(*arguments):
        seen.append(arguments)
        return nearest(*arguments)

    evaluate([scan], 4, ["area", "kspace"], spy, plane="ij")
    (coarse, factors, step), _ = seen
    assert (factors, step) == ((4, 4, 1), 1)
    assert coarse.voxels.dtype == np.int16
    assert coarse.dimensions == (16, 20, 4)
    np.testing.assert_allclose(coarse.ras_bounds(), read_volume(scan).cropped((0, 0, 0), (64, 80, 4)).ras_bounds())


def test_a_plane_can_be_given_per_file(tmp_path, make_phantom):
    paths = [tmp_path / "a.nrrd", tmp_path / "b.nrrd"]
    for path in paths:
        write_volume(make_phantom((32, 28, 36)), path)
    records = evaluate(paths, 2, ["area"], plane={"b.nrrd": "ik"}, most_slices=2).records
    assert {(r["volume"], r["plane"]) for r in records} == {("a.nrrd", "ij"), ("b.nrrd", "ik")}


def test_a_method_that_is_worse_than_bspline_is_counted(scan):
    evaluation = evaluate([scan], 2, ["area"], nearest)
    assert gains(evaluation, "ours")["area"] < -0.2
    assert "area: SuperResolution is below B-spline on 1 of 1 volumes." in format_table(evaluation.records)


def test_a_perfect_method_is_right_up_to_the_highest_frequency(scan):
    truth = choose_slices(read_volume(scan), 4)
    records = evaluate([scan], 4, ["kspace"], lambda *arguments: truth.volume).records
    perfect = next(record for record in records if record["method"] == "ours")
    assert perfect["psnr"] == np.inf
    assert perfect["ssim"] == pytest.approx(1, abs=1e-5)
    assert perfect["frc_cutoff"] == pytest.approx(4)


def test_results_are_scored_as_a_file_would_store_them(scan):
    def offset(*arguments):
        fine = nearest(*arguments)
        return Volume(np.where(fine.voxels == 0, -900, fine.voxels + 0.3).astype(np.float32), fine.ijk_to_ras)

    scores = [evaluate([scan], 2, ["area"], ours).records[-1]["psnr"] for ours in (nearest, offset)]
    assert scores[0] == scores[1]


def test_negative_intensities_of_a_ct_are_kept(tmp_path, make_phantom):
    phantom = make_phantom((2, 48, 48), np.int16, None, 0, -1000)
    write_volume(phantom, tmp_path / "ct.nrrd")
    seen = []
    ours = lambda stack, *more: seen.append(stack) or bspline(stack, *more)  # noqa: E731
    evaluation = evaluate([tmp_path / "ct.nrrd"], 2, ["area", "kspace"], ours)
    assert min(coarse.voxels.min() for coarse in seen) < -900
    assert gains(evaluation, "ours") == {"area": 0, "kspace": 0}
    assert all(record["psnr"] > 15 for record in evaluation.records)


def test_a_method_that_returns_another_grid_is_a_fault(scan):
    def shifted(*arguments):
        fine = nearest(*arguments)
        matrix = fine.ijk_to_ras.copy()
        matrix[0, 3] += 0.5
        return Volume(fine.voxels, matrix)

    with pytest.raises(ValueError, match="ours did not return the grid"):
        evaluate([scan], 2, ["area"], shifted)


def test_progress_counts_every_method_up_to_the_total(scan):
    calls = []
    evaluate([scan], 2, ["area", "bicubic"], progress=lambda *call: calls.append(call))
    assert [done for done, _, _ in calls] == list(range(13))
    assert {total for _, total, _ in calls} == {12}
    assert calls[0][2] == "scan.nrrd, area: Nearest"


def test_requests_that_cannot_be_served_are_refused_in_one_sentence(scan, tmp_path):
    for arguments, message in [
        (([],), "nothing to evaluate"),
        (([scan], 1), "whole number above 1"),
        (([scan], 4, ["blur"]), "no degradation blur.*area, bicubic, kspace, kspace-noise"),
        (([scan], 4, []), "at least one degradation"),
        (([scan], 4, ["area"], None, "xy"), "scan.nrrd: There is no slice plane xy"),
        (([scan], 4, ["area"], None, "ii"), "no slice plane ii"),
        (([scan], 32), "too small"),
    ]:
        with pytest.raises(InputError, match=message):
            evaluate(*arguments)
    for voxels, message in [(np.ones((3, 40, 40)), "equal"), (np.full((3, 40, 40), np.nan), "NaN")]:
        with pytest.raises(InputError, match=message):
            choose_slices(Volume(voxels, np.diag([1.0, 1, 3, 1])), 4)


def test_on_a_real_scan_bspline_and_back_projection_score_as_known(scans):
    path = scans / "heldout" / "flair_openms-long_p20s2.nii.gz"
    evaluation = evaluate([path], 4, ["area", "kspace"], most_slices=3)
    rows = {(row["degradation"], row["method"]): row for row in summarise(evaluation.records)}
    for degradation in ("area", "kspace"):
        assert 1.05 < rows[degradation, "bspline"]["frc_cutoff"] < 1.35
    assert 0.2 < rows["area", "back-projection"]["gain"] < 1.2
    assert -0.1 < rows["kspace", "back-projection"]["gain"] < 0.5
