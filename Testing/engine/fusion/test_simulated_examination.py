"""What the benchmark of fusion simulates and how it scores, on a small patient."""

import argparse

import numpy as np
import pytest

from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import Volume
from Testing.benchmark.fusion_simulated import measurements, placing_error, score, seen_by_all, simulated, table
from Testing.benchmark.on_grid import on_grid


@pytest.fixture(scope="module")
def stacks(truth):
    return simulated(truth, seed=3)


def test_each_stack_shows_thick_slices_of_the_truth_where_it_truly_lies_and_not_where_its_header_says(truth, stacks):
    inside = seen_by_all(stacks, truth) & (truth.voxels > 100)

    def likeness(stack, gain):
        levelled = Volume(stack.voxels / gain, stack.ijk_to_ras, "MR")
        return np.corrcoef(on_grid(levelled, Grid.of(truth))[inside], truth.voxels[inside])[0, 1]

    for number, each in enumerate(stacks):
        assert max(each.stack.spacing) == 4
        assert likeness(each.in_place, each.gain) > 0.75
        moved = placing_error(each.movement, np.eye(4), truth)
        assert moved == 0 if number == 0 else 1 < moved < 8
        if number:
            assert likeness(each.in_place, each.gain) > likeness(each.stack, each.gain) + 0.05
        assert 0.7 < each.gain.min() < each.gain.max() < 1.35


def test_the_same_seed_simulates_the_same_examination(truth, stacks):
    again = simulated(truth, seed=3)
    np.testing.assert_array_equal(stacks[2].stack.voxels, again[2].stack.voxels)
    assert not np.array_equal(stacks[2].movement, simulated(truth, seed=4)[2].movement)


def test_a_smooth_gain_costs_nothing_and_blur_costs_all_scores(truth):
    mask = truth.voxels > 60
    k = np.linspace(0.8, 1.2, truth.voxels.shape[0], dtype=np.float32)[:, None, None]
    shaded, blurred = score(truth.voxels * k, truth, mask), score(np.roll(truth.voxels, 1, 0), truth, mask)
    assert shaded["psnr"] > blurred["psnr"] + 10
    assert shaded["ssim"] > blurred["ssim"]
    assert shaded["frc"][0] > blurred["frc"][0] > 0


def test_a_whole_measurement_finds_the_fusion_ahead_of_the_mean(truth, capsys):
    options = argparse.Namespace(slices=None, field=None, sharpen=False, single=False, out=None)
    records = measurements(truth, "phantom", 0, options)
    by_method = {record["method"]: record for record in records}
    assert by_method["fused"]["psnr"] > by_method["mean of B-splines"]["psnr"] + 2
    assert max(by_method["fused"]["placing_mm"]) < 0.5
    assert "| phantom | 0 | fused |" in table(records)
    assert capsys.readouterr().out.count("\n") == len(records)
