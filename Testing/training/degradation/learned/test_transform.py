"""A learned degradation makes training pairs."""

import pytest
import torch
from monai.bundle import ConfigParser

from SuperResolutionLib.errors import InputError
from Training.data.slice_pairs import PairDataset
from Training.degradation.learned.transform import LearnedDegradationd

FACTOR = 2


def test_the_transform_makes_coarse_noisy_slices_and_leaves_other_keys(file, degradation, textured_slices):
    image = textured_slices(0, count=1, size=64)
    result = LearnedDegradationd(["image"], file, noise_range=(1, 1))({"image": image, "label": 7})
    clean = degradation().operator(image[None], 2)[0]
    assert result["image"].shape == (1, 32, 32) and result["image"].dtype == torch.float32
    assert float((result["image"] - clean).std()) == pytest.approx(0.02, rel=0.1)
    assert result["label"] == 7


def test_the_transform_repeats_by_its_seed_and_draws_new_noise_each_time(file, textured_slices):
    image = textured_slices(0, count=1, size=64)
    transform = LearnedDegradationd(["image"], file)
    first, second = (transform.set_random_state(seed=5)({"image": image})["image"] for _ in range(2))
    third = transform({"image": image})["image"]
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_a_preset_draws_the_transform_beside_other_sources_of_pairs(file, textured_slices):
    transforms = [
        {"_target_": "Training.degradation.learned.transform.LearnedDegradationd", "keys": "image", "file": str(file)}
    ]
    choice = {"_target_": "monai.transforms.OneOf", "weights": [1.0], "transforms": transforms}
    drawn = ConfigParser({"choice": choice}).get_parsed_content("choice")
    image = textured_slices(0, count=1, size=64)
    first, second = (drawn.set_random_state(seed=1)({"image": image})["image"] for _ in range(2))
    assert first.shape == (1, 32, 32) and torch.equal(first, second)


def test_the_transform_of_another_factor_is_refused(file):
    with pytest.raises(InputError, match="learned for factor 2, not 4"):
        LearnedDegradationd("image", file, factor=4)


def test_the_preset_of_a_learned_degradation_trains_on_pairs_of_its_kernel_and_noise(
    file, data, repository, monkeypatch, degradation
):
    monkeypatch.chdir(file.parent)
    preset = repository / "Training" / "configs" / "degradation_learned.yaml"
    pairs = PairDataset(data, data / "datalist.json", preset, FACTOR, 16, versions=1)
    errors = []
    for number in range(40):
        pair = pairs[number]
        expected = degradation().operator(pair["label"][None], FACTOR)[0]
        errors.append((pair["image"] - expected)[:, 4:-4, 4:-4])  # the patch was cut from a larger slice
    assert float(torch.cat(errors).std()) == pytest.approx(0.02, rel=0.25)
