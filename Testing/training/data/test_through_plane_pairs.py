"""Pairs of reformats through thick and thin slices, and the training on them."""

import json

import numpy as np
import pytest
import torch
from training_log import log_of

from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.networks import fine_rows
from Training.data.through_plane_pairs import ThroughPlanePairs, ThroughPlaneValidation


@pytest.fixture(scope="module")
def pairs(data):
    return ThroughPlanePairs(data, data / "datalist.json", batch=4, rows=40, noisy=0.0)


def test_a_pair_depends_on_the_seed_and_its_number_alone(data, pairs):
    again = ThroughPlanePairs(data, data / "datalist.json", batch=4, rows=40, noisy=0.0)
    for index in (5, 0, 11):
        for key in ("image", "label"):
            assert torch.equal(pairs[index][key], again[index][key])
    other = ThroughPlanePairs(data, data / "datalist.json", batch=4, rows=40, noisy=0.0, seed=1)
    assert not torch.equal(pairs[5]["image"], other[5]["image"])


def test_the_pairs_of_an_iteration_share_spacing_and_thickness_and_others_have_others(pairs):
    conditions = [pairs[index]["conditions"] for index in range(16)]
    for start in (0, 4, 8, 12):
        assert all(each == conditions[start] for each in conditions[start : start + 4])
    assert len({each["spacing"] for each in conditions}) == 4
    assert all(1.25 <= each["spacing"] <= 8 and 0.6 <= each["thickness"] <= 1.3 for each in conditions)


def test_labels_have_the_rows_that_the_spacing_asks_for(pairs):
    for index in range(0, 40, 4):
        pair = pairs[index]
        slices, spacing = pair["image"].shape[1], pair["conditions"]["spacing"]
        assert pair["label"].shape[1] == fine_rows(slices, spacing) <= 40
        assert pair["image"].shape[2] == pair["label"].shape[2]


def test_image_and_label_show_the_same_place(tmp_path):
    k, j, i = np.indices((3, 64, 64), dtype=float)
    ramp = (1000 + 10 * j + 7 * i + 300 * (k % 2) * np.sin(i / 3)).astype(np.int16)
    write_volume(Volume(ramp, np.eye(4)), tmp_path / "ramp.nii.gz")
    entries = [{"image": "ramp.nii.gz", "group": "T1", "slice_axes": "k", "every": 1}]
    listing = {"group_weights": {"T1": 1.0}, "training": entries, "validation": entries}
    (tmp_path / "list.json").write_text(json.dumps(listing))
    pairs = ThroughPlanePairs(tmp_path, tmp_path / "list.json", batch=1, rows=48, noisy=0.0)
    for index in range(24):
        pair = pairs[index]
        # The rows' mean is the slices' mean, wherever slices and rows tile the same box.
        edge = 1 + pair["image"].shape[1] // 6
        coarse, fine = pair["image"][0, edge:-edge].mean(), None
        rows = int(round(edge * pair["conditions"]["spacing"]))
        fine = pair["label"][0, rows:-rows].mean()
        assert float(coarse) == pytest.approx(float(fine), abs=0.03)


def test_noise_is_in_the_thick_slices_alone(data):
    clean, noisy = (
        ThroughPlanePairs(data, data / "datalist.json", batch=4, rows=40, noisy=1.0, noise=noise) for noise in (0, 0.2)
    )
    for n in range(8):
        assert torch.equal(noisy[n]["label"], clean[n]["label"])
        assert not torch.allclose(noisy[n]["image"], clean[n]["image"], atol=1e-4)


@pytest.fixture
def numbered(tmp_path):
    """A folder with a volume whose slices get brighter one by one, 1 mm apart in one file and 8 mm in the other."""
    random = np.random.default_rng(0)
    texture = 200 * random.random((64, 72)) + 100
    voxels = np.stack([texture + 20 * number for number in range(12)]).astype(np.int16)
    for name, apart in (("near", 1.0), ("far", 8.0)):
        write_volume(Volume(voxels, np.diag([1.0, 1.0, apart, 1.0])), tmp_path / f"{name}.nii.gz")
        entries = [{"image": f"{name}.nii.gz", "group": "T1", "slice_axes": "k", "every": 1}]
        listing = {"group_weights": {"T1": 1.0}, "training": entries, "validation": entries}
        (tmp_path / f"{name}.json").write_text(json.dumps(listing))
    return tmp_path


def test_neighbours_are_the_slices_beside_a_slice_on_either_side_where_they_are_near(numbered, monkeypatch):
    monkeypatch.setattr("Training.data.through_plane_pairs.misplaced", lambda thick, random: thick)
    pairs = ThroughPlanePairs(numbered, numbered / "near.json", batch=1, neighbours=2, rows=40, noisy=0.0)
    sides = set()
    for index in range(24):
        pair = pairs[index]
        assert pair["image"].shape[0] == 5 and pair["label"].shape[0] == 1
        steps = (pair["image"] - pair["image"][:1]).mean(dim=(1, 2))
        # A slice at an end of the volume repeats there.
        ratios = steps[1:] / steps.abs().max() * 2
        assert all(min(abs(float(ratio) - wanted) for wanted in (-2, -1, 0, 1, 2)) < 0.1 for ratio in ratios)
        assert steps[1] * steps[2] <= 0
        sides.add(bool(steps[1] > steps[2]))
        assert 0.6 <= pair["own_conditions"]["apart"] <= 1.01
    assert len(sides) == 2


def test_slices_far_apart_have_no_neighbours_but_themselves_with_the_same_noise(numbered):
    pairs = ThroughPlanePairs(numbered, numbered / "far.json", batch=1, neighbours=2, rows=40, noisy=1.0)
    for index in range(8):
        pair = pairs[index]
        assert pair["own_conditions"]["apart"] == 0 and pair["own_conditions"]["noise"] > 0
        assert torch.equal(pair["image"], pair["image"][:1].expand(5, -1, -1))


@pytest.mark.parametrize("acquired", ["mri", "ct"])
def test_pairs_of_either_modality_start_from_the_same_slices(numbered, acquired):
    options = {"batch": 1, "rows": 40, "noisy": 0.0, "acquired": acquired}
    pairs = ThroughPlanePairs(numbered, numbered / "near.json", **options)
    pair = pairs[0]
    assert torch.isfinite(pair["image"]).all() and "own_conditions" not in pair


def test_validation_shows_both_directions_of_every_plane_in_every_acquisition(data):
    entries = list(ThroughPlaneValidation(data, data / "datalist.json", slices=2, neighbours=2))
    assert [entry["name"] for entry in entries] == list(ThroughPlaneValidation.ACQUISITIONS) * 2
    for entry in entries:
        spacing = entry["conditions"]["spacing"]
        assert entry["label"].shape[-2] == spacing * entry["image"].shape[-2]
        assert entry["image"].shape[-1] == entry["label"].shape[-1]


@pytest.mark.parametrize("arguments", [{}, {"neighbours": 2}], ids=str)
def test_stage_1_trains_the_network_through_the_slices(train, tiny, repository, tmp_path, arguments):
    settings = {key: value for key, value in tiny.items() if key != "patches"}
    settings["generator"] = {"name": "ThroughPlaneNet", "arguments": {"width": 4, "blocks": 1, **arguments}}
    settings["train#dataset#rows"] = 40
    train("stage1", settings, tmp_path, repository / "Training" / "configs" / "through_plane.yaml")
    lines = log_of(tmp_path)
    assert [line["iteration"] for line in lines] == [4, 8, 12]
    assert set(lines[-1]["gain_db"]) == set(ThroughPlaneValidation.ACQUISITIONS)
