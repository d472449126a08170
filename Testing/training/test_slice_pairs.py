"""Training pairs: fine and coarse patches match in place, come from whole slices, and repeat by their seed."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from SuperResolutionLib.acquisition import OPERATORS
from SuperResolutionLib.intensity import IntensityScale
from SuperResolutionLib.volume_files import read_volume
from Training.slice_pairs import Degradation, PairSampler, SliceStack, read_stacks


@pytest.fixture(scope="module")
def stacks(data):
    return read_stacks(data / "datalist.json", data, factor=2, seed=0, smallest=22)


def sampler(stacks, seed=0, noisy_share=0.0, shares=None, size=8):
    degradation = Degradation(shares or {"area": 1.0}, noisy_share, 0.04)
    return PairSampler(stacks, degradation, 2, size, seed)


def test_every_volume_gives_three_versions_and_the_groups_keep_their_weights(stacks):
    assert len(stacks) == 6
    assert sum(stack.weight for stack in stacks[:3]) == pytest.approx(0.7)
    assert sum(stack.weight for stack in stacks[3:]) == pytest.approx(0.3)


def test_the_first_version_is_the_scan_itself_normalised_as_a_whole(stacks, data):
    volume = read_volume(data / "first.nii.gz")
    expected = IntensityScale.of(volume.voxels).normalise(volume.voxels)
    torch.testing.assert_close(stacks[0].fine.float(), torch.from_numpy(expected), atol=2e-3, rtol=0)
    zero = IntensityScale.of(volume.voxels).normalise(np.zeros(1))[0]
    assert stacks[0].zero == pytest.approx(zero, abs=1e-6)


def test_coarse_slices_are_whole_fine_slices_through_each_operator(stacks):
    for stack in stacks:
        assert set(stack.coarse) == set(OPERATORS)
        for name, coarse in stack.coarse.items():
            expected = OPERATORS[name](stack.fine[:, None].float(), 2)[:, 0]
            torch.testing.assert_close(coarse.float(), expected, atol=6e-3, rtol=0)


def test_versions_differ_in_matrix_and_every_second_one_is_coarser(stacks):
    sizes = [tuple(stack.fine.shape[1:]) for stack in stacks[:3]]
    assert sizes[0] == (48, 52)
    assert sizes[1][0] < 48 and sizes[1][1] < 52
    for height, width in sizes:
        assert height % 2 == width % 2 == 0 and height >= 20


def test_of_the_slices_every_nth_is_kept_and_other_ones_in_each_version(data):
    stacks = read_stacks(data / "datalist.json", data, factor=2, seed=0, versions=2, smallest=48)
    second = [stack for stack in stacks if stack.weight == pytest.approx(0.15)]
    assert [len(stack.fine) for stack in second] == [3, 3]
    volume = read_volume(data / "second.nii.gz")
    expected = IntensityScale.of(volume.voxels).normalise(volume.voxels[::2])
    torch.testing.assert_close(second[0].fine.float(), torch.from_numpy(expected), atol=2e-3, rtol=0)


def test_validation_reads_its_own_section(data):
    unseen = read_stacks(data / "datalist.json", data, factor=4, seed=0, versions=1, section="validation")
    assert len(unseen) == 1
    assert unseen[0].coarse["kspace"].shape == (6, 12, 13)


def test_patches_match_in_place_whatever_the_flip_and_turn(stacks):
    pairs = sampler(stacks[:1])
    for _ in range(40):
        coarse, fine = pairs.patch()
        assert coarse.shape == (8, 8) and fine.shape == (16, 16)
        torch.testing.assert_close(F.avg_pool2d(fine[None], 2)[0], coarse, atol=6e-3, rtol=0)


def test_flips_turns_and_brightness_are_all_drawn(stacks):
    gradient = (torch.arange(16.0)[:, None] + 0.1 * torch.arange(16.0)[None])[None] / 16
    stack = SliceStack(1.0, 0.0, gradient.half(), {"area": F.avg_pool2d(gradient, 2).half()})
    pairs, seen, gains = sampler([stack]), set(), []
    for _ in range(200):
        _, fine = pairs.patch()
        corners = fine[[0, 0, -1, -1], [0, -1, 0, -1]]
        seen.add(tuple(corners.argsort().tolist()))
        gains.append(float(fine.max() / gradient.max()))
    assert len(seen) == 8
    assert 0.74 <= min(gains) < 0.8 and 1.2 < max(gains) <= 1.26


def test_volumes_and_operators_are_drawn_by_their_shares(stacks):
    flat = [
        SliceStack(weight, 0.0, torch.full((1, 16, 16), value).half(), {
            "area": torch.full((1, 8, 8), value).half(),
            "kspace": torch.full((1, 8, 8), value + 10).half(),
        })
        for weight, value in ((3.0, 1.0), (1.0, 2.0))
    ]  # fmt: skip
    pairs = sampler(flat, shares={"area": 0.2, "kspace": 0.8})
    drawn = [pairs.patch() for _ in range(600)]
    gains = [float(fine.mean()) for _, fine in drawn]
    assert np.mean([gain < 1.3 for gain in gains]) == pytest.approx(0.75, abs=0.06)
    assert np.mean([float(coarse.mean()) > 5 for coarse, _ in drawn]) == pytest.approx(0.8, abs=0.06)


def test_noise_falls_on_the_coarse_patch_only_and_on_its_share_of_them(stacks):
    noisy = 0
    pairs = sampler(stacks[:1], noisy_share=0.5)
    for _ in range(100):
        coarse, fine = pairs.patch()
        noisy += float((F.avg_pool2d(fine[None], 2)[0] - coarse).abs().max()) > 6e-3
    assert 30 <= noisy <= 60


def test_a_batch_has_a_channel_and_repeats_by_seed_and_by_state(stacks):
    pairs = sampler(stacks, seed=3, noisy_share=1.0)
    pairs.batch(2)
    state = json.loads(json.dumps({"numpy": pairs.state()["numpy"]})) | {"torch": pairs.state()["torch"].clone()}
    coarse, fine = pairs.batch(4)
    assert coarse.shape == (4, 1, 8, 8) and fine.shape == (4, 1, 16, 16)
    other = sampler(stacks, seed=99, noisy_share=1.0)
    assert not torch.equal(other.batch(4)[0], coarse)
    other.set_state(state)
    for first, second in zip(other.batch(4), (coarse, fine)):
        assert torch.equal(first, second)
