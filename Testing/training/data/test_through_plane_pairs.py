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


def test_noise_is_in_the_thick_slices_alone(data, pairs):
    noisy = ThroughPlanePairs(data, data / "datalist.json", batch=4, rows=40, noisy=1.0, noise=0.2)
    same_label = [torch.equal(noisy[n]["label"], pairs[n]["label"]) for n in range(8)]
    assert not any(torch.equal(noisy[n]["image"], pairs[n]["image"]) for n in range(8))
    assert any(same_label)


def test_validation_shows_both_directions_of_every_plane_in_every_acquisition(data):
    entries = list(ThroughPlaneValidation(data, data / "datalist.json", slices=2))
    assert [entry["name"] for entry in entries] == list(ThroughPlaneValidation.ACQUISITIONS) * 2
    for entry in entries:
        spacing = entry["conditions"]["spacing"]
        assert entry["label"].shape[-2] == spacing * entry["image"].shape[-2]
        assert entry["image"].shape[-1] == entry["label"].shape[-1]


def test_stage_1_trains_the_network_through_the_slices(train, tiny, repository, tmp_path):
    settings = {key: value for key, value in tiny.items() if key != "patches"}
    settings["generator"] = {"name": "ThroughPlaneNet", "arguments": {"width": 4, "blocks": 1}}
    settings["train#dataset#rows"] = 40
    train("stage1", settings, tmp_path, repository / "Training" / "configs" / "through_plane.yaml")
    lines = log_of(tmp_path)
    assert [line["iteration"] for line in lines] == [4, 8, 12]
    assert set(lines[-1]["gain_db"]) == set(ThroughPlaneValidation.ACQUISITIONS)
