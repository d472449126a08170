"""Training pairs are pure functions of seed and index and match in place; validation pairs never change."""

import copy
import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from SuperResolutionLib.acquisition.operators import OPERATORS
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.networks.neighbours import TYPICAL_NOISE
from Training.data.slice_pairs import PairDataset, ValidationSlices, read_planes

AREA = "- {_target_: Training.degradation.presets.Decimated, keys: image, factor: '@factor', operator: area}"
TURNED = """
- {_target_: monai.transforms.RandFlipd, keys: [image, label], spatial_axis: 1, prob: 0.5}
- {_target_: monai.transforms.RandRotate90d, keys: [image, label], prob: 0.75}
"""


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A function that writes a preset of area averages and the given patch transforms."""

    def write(patch_transforms="[]"):
        path = tmp_path_factory.mktemp("preset") / "preset.yaml"
        path.write_text(f"slice_transforms:\n{AREA}\npatch_transforms: {patch_transforms}\n")
        return path

    return write


@pytest.fixture(scope="module")
def mri_preset(repository):
    return repository / "Training" / "configs" / "degradation_mri.yaml"


@pytest.fixture(scope="module")
def pairs(data, mri_preset):
    return PairDataset(data, data / "datalist.json", mri_preset, factor=2, coarse_size=10, seed=3)


def write_list(folder, entries):
    groups = {entry["group"]: 1.0 for entry in entries}
    path = folder / "list.json"
    path.write_text(json.dumps({"group_weights": groups, "training": entries, "validation": entries}))
    return path


def test_a_pair_is_two_float32_patches_in_a_dictionary(pairs):
    for index in (0, 7, 2**31 - 2, 2**40):
        pair = pairs[index]
        assert set(pair) == {"image", "label"}
        assert pair["image"].shape == (1, 10, 10) and pair["label"].shape == (1, 20, 20)
        assert pair["image"].dtype == pair["label"].dtype == torch.float32
        assert type(pair["image"]) is type(pair["label"]) is torch.Tensor
    assert len(pairs) > 10**9


def test_a_pair_depends_on_seed_and_index_alone(pairs, data, mri_preset):
    expected = [pairs[index] for index in range(12)]
    torch.manual_seed(1)
    np.random.seed(1)
    again = PairDataset(str(data), str(data / "datalist.json"), str(mri_preset), factor=2, coarse_size=10, seed=3)
    for index in (11, 3, 3, 0, 7):
        assert torch.equal(again[index]["image"], expected[index]["image"])
        assert torch.equal(again[index]["label"], expected[index]["label"])
    other = PairDataset(data, data / "datalist.json", mri_preset, factor=2, coarse_size=10, seed=4)
    assert not any(torch.equal(other[index]["image"], expected[index]["image"]) for index in range(12))
    assert not any(torch.equal(expected[0]["image"], pair["image"]) for pair in expected[1:])


def test_worker_processes_draw_the_same_pairs(pairs):
    loader = DataLoader(pairs, batch_sampler=[[4, 1], [9, 6]], num_workers=2)
    for indices, batch in zip(([4, 1], [9, 6]), loader):
        for key in ("image", "label"):
            assert torch.equal(batch[key], torch.stack([pairs[index][key] for index in indices]))


def test_a_copy_can_cut_patches_of_another_size(pairs):
    smaller = copy.copy(pairs)
    smaller.coarse_size = 6
    assert smaller[5]["image"].shape == (1, 6, 6) and smaller[5]["label"].shape == (1, 12, 12)
    assert pairs[5]["image"].shape == (1, 10, 10)


def test_patches_match_in_place_whatever_the_flip_and_turn(data, preset):
    pairs = PairDataset(data, data / "datalist.json", preset(TURNED), factor=2, coarse_size=9)
    for index in range(40):
        pair = pairs[index]
        torch.testing.assert_close(F.avg_pool2d(pair["label"], 2), pair["image"], atol=6e-3, rtol=0)


def test_labels_are_the_scan_in_the_networks_units(data, preset):
    pairs = PairDataset(data, data / "datalist.json", preset(), factor=2, coarse_size=10, versions=1)
    scans = [read_volume(data / f"{name}.nii.gz").voxels for name in ("first", "second")]
    scans = [torch.from_numpy(IntensityScale.of(voxels).normalise(voxels)) for voxels in scans]
    windows = [scan.unfold(1, 20, 2).unfold(2, 20, 2).reshape(-1, 20, 20) for scan in scans]
    for index in range(10):
        label = pairs[index]["label"][0]
        assert min(float((scan - label).abs().amax(dim=(1, 2)).min()) for scan in windows) < 3e-3


def test_volumes_are_drawn_by_the_weights_of_their_groups(data, preset):
    pairs = PairDataset(data, data / "datalist.json", preset(), factor=2, coarse_size=8)
    assert len(pairs.stacks) == 8
    assert sum(stack.weight for stack in pairs.stacks[:4]) == pytest.approx(0.7)
    for stack, mark in zip(pairs.stacks, (0, 0, 0, 0, 9, 9, 9, 9)):
        stack.coarse.add_(mark)
    drawn = np.mean([float(pairs[index]["image"].mean()) > 5 for index in range(300)])
    assert drawn == pytest.approx(0.3, abs=0.08)


def test_every_second_version_is_coarser_and_the_later_ones_have_other_slices(data, preset):
    pairs = PairDataset(data, data / "datalist.json", preset(), factor=4, coarse_size=5, seed=1)
    first, second = pairs.stacks[:4], pairs.stacks[4:]
    assert tuple(first[0].fine.shape[-2:]) == (48, 52)
    for stack in (*first, *second):
        height, width = stack.fine.shape[-2:]
        assert height % 4 == width % 4 == 0 and min(height, width) >= 20
        assert tuple(stack.coarse.shape[-2:]) == (height // 4, width // 4)
        assert stack.fine.dtype == stack.coarse.dtype == torch.float16
    assert all(stack.fine.shape[-2] < 48 and stack.fine.shape[-1] < 52 for stack in first[1::2])
    assert [len(stack.fine) for stack in first] == [6] * 4
    assert [len(stack.fine) for stack in second] == [3] * 4  # every second slice of six
    voxels = read_volume(data / "second.nii.gz").voxels.astype(np.float32)
    whole = torch.from_numpy(voxels / IntensityScale.of(voxels).span)
    torch.testing.assert_close(second[0].fine[:, 0].float(), whole[::2], atol=2e-3, rtol=0)
    moved = whole[1::2].unfold(1, second[2].fine.shape[-2], 1).unfold(2, second[2].fine.shape[-1], 1)
    errors = (moved - second[2].fine[:, 0, None, None].float()).abs().amax(dim=(0, 3, 4))
    assert errors.min() < 2e-3


def test_empty_places_are_mostly_avoided(tmp_path, preset):
    voxels = np.zeros((2, 128, 128), np.int16)
    voxels[:, 40:88, 40:88] = np.random.default_rng(0).integers(100, 900, (2, 48, 48))
    write_volume(Volume(voxels, np.eye(4)), tmp_path / "small.nii.gz")
    entries = [{"image": "small.nii.gz", "group": "T1", "slice_axes": "k", "every": 1}]
    pairs = PairDataset(tmp_path, write_list(tmp_path, entries), preset(), factor=2, coarse_size=8, versions=1)
    empty = np.mean([float(pairs[index]["image"].std()) <= 0.05 for index in range(300)])
    coarse = pairs.stacks[0].coarse[0, 0].float().unfold(0, 8, 1).unfold(1, 8, 1)
    chance = float((coarse.std(dim=(2, 3)) <= 0.05).float().mean())
    assert chance > 0.5
    assert empty == pytest.approx(chance**4, abs=0.05)


def test_all_planes_that_are_named_are_cut(tmp_path, preset):
    voxels = np.random.default_rng(0).integers(0, 900, (24, 26, 28)).astype(np.int16)
    write_volume(Volume(voxels, np.eye(4)), tmp_path / "cube.nii.gz")
    entries = [{"image": "cube.nii.gz", "group": "T1", "slice_axes": "ijk", "every": 1}]
    pairs = PairDataset(tmp_path, write_list(tmp_path, entries), preset(), factor=2, coarse_size=8, versions=1)
    assert [tuple(stack.fine.shape) for stack in pairs.stacks] == [(28, 1, 24, 26), (26, 1, 24, 28), (24, 1, 26, 28)]
    assert [stack.weight for stack in pairs.stacks] == pytest.approx([1 / 3] * 3)


def test_slices_smaller_than_a_patch_are_refused_by_name(data, preset):
    with pytest.raises(ValueError, match="first.nii.gz.*48, 52.*too small for patches of 48"):
        PairDataset(data, data / "datalist.json", preset(), factor=4, coarse_size=12)


def test_hounsfield_units_become_attenuation_with_none_in_air(tmp_path, preset):
    voxels = np.full((2, 40, 40), -1000, np.int16)
    voxels[:, 8:30, 8:34] = 0
    voxels[:, 12:18, 10:30] = 900
    write_volume(Volume(voxels, np.eye(4)), tmp_path / "ct.nii.gz")
    entries = [{"image": "ct.nii.gz", "group": "CT", "slice_axes": "k", "every": 1, "no_signal": -1000}]
    datalist = write_list(tmp_path, entries)
    pairs = PairDataset(tmp_path, datalist, preset(), factor=2, coarse_size=16, versions=1)
    fine = pairs.stacks[0].fine
    assert fine.unique().tolist() == pytest.approx([0.0, 1000 / 1900, 1.0], abs=1e-3)
    assert pairs[0]["label"].min() == pytest.approx(0) and pairs[0]["label"].max() == pytest.approx(1, abs=1e-3)


@pytest.fixture(scope="module")
def stack_of_numbers(tmp_path_factory):
    """A data list of one volume whose slice ``k`` is ``k`` times a pattern, 2 mm apart in pixels of 1 mm."""
    folder = tmp_path_factory.mktemp("stack")
    pattern = 1 + np.indices((40, 40)).sum(axis=0) % 5
    voxels = (np.arange(1, 13)[:, None, None] * pattern).astype(np.float32)
    write_volume(Volume(voxels, np.diag([1.0, 1, 2, 1])), folder / "stack.nii.gz")
    write_list(folder, [{"image": "stack.nii.gz", "group": "a", "slice_axes": "k", "every": 1}])
    return folder


def test_slices_beside_are_shown_degraded_alike_and_told_of(stack_of_numbers, preset):
    pairs = PairDataset(stack_of_numbers, stack_of_numbers / "list.json", preset(), 2, 8, versions=1, neighbours=1)
    steps, shown = set(), 0
    for index in range(64):
        image, label = pairs[index]["image"], pairs[index]["label"]
        assert image.shape == (5, 8, 8) and label.shape == (1, 16, 16)
        torch.testing.assert_close(image[0], F.avg_pool2d(label, 2)[0], atol=2e-3, rtol=0)
        assert (image[4] == image[4, 0, 0]).all() and (image[3] == image[3, 0, 0]).all()
        if image[4, 0, 0]:
            shown += 1
            assert image[4, 0, 0] == pytest.approx(1 / (1 + 2.0 / 2))
            steps.add(round(float((image[2] - image[0]).mean() * 100), 0))
        else:
            torch.testing.assert_close(image[1], image[0], atol=0, rtol=0)
            torch.testing.assert_close(image[2], image[0], atol=0, rtol=0)
    assert 48 <= shown < 64, "one of eight is shown none"
    assert len(steps) > 1, "the slice above is another one"


def test_far_slices_are_not_shown(stack_of_numbers, tmp_path, preset):
    volume = read_volume(stack_of_numbers / "stack.nii.gz")
    write_volume(Volume(volume.voxels, np.diag([1.0, 1, 9, 1])), tmp_path / "stack.nii.gz")
    write_list(tmp_path, [{"image": "stack.nii.gz", "group": "a", "slice_axes": "k", "every": 1}])
    pairs = PairDataset(tmp_path, tmp_path / "list.json", preset(), 2, 8, versions=1, neighbours=1)
    for image in (pairs[index]["image"] for index in range(16)):
        assert (image[4] == 0).all()
        torch.testing.assert_close(image[2], image[0], atol=0, rtol=0)
    for entry in ValidationSlices(tmp_path, tmp_path / "list.json", 2, neighbours=1):
        assert (entry["image"][:, 4] == 0).all()
        torch.testing.assert_close(entry["image"][:, 1], entry["image"][:, 0], atol=0, rtol=0)


def test_the_noise_of_a_patch_is_told(stack_of_numbers, preset):
    noisy = "[{_target_: Training.degradation.mri.RandScannerNoised, keys: image, sigma: [0.05, 0.05], prob: 1.0}]"
    told = {}
    for noise in ("[]", noisy):
        pairs = PairDataset(
            stack_of_numbers, stack_of_numbers / "list.json", preset(noise), 2, 8, versions=1, neighbours=1
        )
        told[noise] = np.array([float(pairs[index]["image"][3, 0, 0]) for index in range(16)]) * TYPICAL_NOISE
    added = np.sqrt(told[noisy] ** 2 - told["[]"] ** 2)
    assert added.min() > 0.005 and added.max() < 0.05


def test_validation_gives_every_degradation_of_every_plane_the_same_every_time(data):
    slices = ValidationSlices(data, data / "datalist.json", factor=4, slices=3)
    first, second = list(slices), list(slices)
    names = ["area", "bicubic", "kspace", "kspace + 2 % noise", "kspace + 5 % noise"]
    assert [batch["name"] for batch in first] == names
    for batch, again in zip(first, second):
        assert batch["image"].shape == (3, 1, 12, 13) and batch["label"].shape == (3, 1, 48, 52)
        assert batch["image"].dtype == batch["label"].dtype == torch.float32
        assert torch.equal(batch["image"], again["image"]) and torch.equal(batch["label"], again["label"])


def test_validation_degrades_by_the_operators_that_the_evaluation_uses_in_the_networks_units(data):
    batches = {batch["name"]: batch for batch in ValidationSlices(data, data / "datalist.json", 2, slices=2)}
    voxels = read_volume(data / "first.nii.gz").voxels
    scale = IntensityScale.of(voxels)
    truth = torch.from_numpy(scale.normalise(voxels))
    for name, operator in OPERATORS.items():
        label = batches[name]["label"]
        assert all(float((truth - image).abs().amax(dim=(1, 2)).min()) < 1e-5 for image in label)
        signal = label + scale.low / scale.span
        expected = operator(signal, 2).clamp(min=0) - scale.low / scale.span
        torch.testing.assert_close(batches[name]["image"], expected, atol=1e-5, rtol=0)
    for percent in (2, 5):
        noisy, clean = batches[f"kspace + {percent} % noise"]["image"], batches["kspace"]["image"]
        bright = clean > 0.5
        assert float((noisy - clean)[bright].std()) == pytest.approx(percent / 100, rel=0.1)


@pytest.mark.parametrize(("no_signal", "lift"), [(0, 0.05 * (np.pi / 2) ** 0.5), (100, 0.0)])
def test_validation_noise_lifts_the_air_of_a_magnitude_alone(tmp_path, no_signal, lift):
    voxels = np.zeros((1, 96, 96), np.int16)
    voxels[:, 32:64, 32:64] = 1000
    write_volume(Volume(voxels, np.eye(4)), tmp_path / "square.nii.gz")
    entries = [{"image": "square.nii.gz", "group": "T1", "slice_axes": "k", "every": 1, "no_signal": no_signal}]
    slices = ValidationSlices(tmp_path, write_list(tmp_path, entries), 2, slices=1)
    images = {batch["name"]: batch["image"][..., :12] for batch in slices}
    added = images["kspace + 5 % noise"] - images["kspace"]
    assert float(added.mean()) == pytest.approx(lift, abs=0.01)


@pytest.mark.parametrize("no_signal", [0, 100])
def test_validation_images_are_negative_only_where_the_truth_can_be(tmp_path, no_signal):
    voxels = np.zeros((1, 48, 48), np.int16)
    voxels[:, 16:32, 16:32] = 1000
    write_volume(Volume(voxels, np.eye(4)), tmp_path / "square.nii.gz")
    entries = [{"image": "square.nii.gz", "group": "T1", "slice_axes": "k", "every": 1, "no_signal": no_signal}]
    batches = ValidationSlices(tmp_path, write_list(tmp_path, entries), 2, slices=1)
    [bicubic] = [batch["image"] for batch in batches if batch["name"] == "bicubic"]
    undershoot = OPERATORS["bicubic"](torch.from_numpy(voxels / 1000).float()[:, None], 2).min()
    assert undershoot < -0.01
    assert float(bicubic.min()) == pytest.approx(0 if no_signal == 0 else float(undershoot), abs=1e-5)


def test_each_volume_has_its_own_value_of_no_signal(data, tmp_path):
    voxels = read_volume(data / "first.nii.gz").voxels
    write_volume(Volume(voxels, np.eye(4)), tmp_path / "mr.nii.gz")
    write_volume(Volume(voxels - 1000, np.eye(4)), tmp_path / "ct.nii.gz")
    entries = [
        {"image": "mr.nii.gz", "group": "T1", "slice_axes": "k", "every": 1},
        {"image": "ct.nii.gz", "group": "CT", "slice_axes": "k", "every": 1, "no_signal": -1000},
    ]
    mr, ct = read_planes(tmp_path, write_list(tmp_path, entries), "training")
    torch.testing.assert_close(mr.signal, ct.signal)
    assert mr.offset == pytest.approx(ct.offset)


def test_the_pool_is_the_same_whatever_the_number_of_threads(pairs, data, mri_preset):
    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 3)
    try:
        again = PairDataset(data, data / "datalist.json", mri_preset, factor=2, coarse_size=10, seed=3)
    finally:
        torch.set_num_threads(before)
    assert len(again.stacks) == len(pairs.stacks)
    for one, other in zip(again.stacks, pairs.stacks):
        assert torch.equal(one.coarse, other.coarse) and torch.equal(one.fine, other.fine)
