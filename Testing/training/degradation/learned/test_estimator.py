"""A learned degradation: a hidden kernel and noise are found, kept in plain JSON, and make pairs."""

import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.operators import area_average
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from Training.data.slice_pairs import PairDataset
from Training.degradation.learned import estimator as learned_degradation
from Training.degradation.learned.estimator import (
    LearnedDegradation,
    LearnedDegradationd,
    full_width,
    gaussian_taps,
    learn_degradation,
    main,
    read_sharp_slices,
    read_slices,
)

FACTOR = 2


def degradation(rows=1.2, columns=1.6, noise=0.02, factor=FACTOR):
    profiles = (gaussian_taps(width, factor).double() for width in (rows, columns))
    return LearnedDegradation(*(tuple((p / p.sum()).tolist()) for p in profiles), factor, noise, (1.0, 1.5))


def textured_slices(seed, count=10, size=176):
    """Sharp-edged regions of random brightness and texture, ``(count, size, size)``."""
    random = torch.Generator().manual_seed(seed)
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]) + 1 / size
    fields = torch.fft.rfft2(torch.randn(2, count, size, size, generator=random))
    smooth, texture = (torch.fft.irfft2(fields[n] / frequency**power) for n, power in enumerate((2.0, 1.0)))
    regions = torch.bucketize(smooth / smooth.std(), torch.linspace(-1.5, 1.5, 7)).float() / 12
    return 0.4 + regions + 0.05 * texture / texture.std()


def coarse_slices(truth, seed):
    blurred = truth.operator(textured_slices(seed)[:, None], FACTOR)
    return add_rician_noise(blurred, truth.noise, torch.Generator().manual_seed(seed))[:, 0]


@pytest.fixture(scope="module", autouse=True)
def few_patches():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learned_degradation, "PATCHES", 800)
        patch.setattr(learned_degradation, "TRIES", 12)
        patch.setattr(learned_degradation, "FITTED_PATCHES", 500)
        yield


@pytest.fixture(scope="module")
def found():
    sharp = [textured_slices(1), textured_slices(2)]
    return learn_degradation([coarse_slices(degradation(), 9)], sharp, FACTOR, iterations=20, spacing=(1.0, 1.5))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "degradation.json"
    degradation().save(path)
    return path


def test_a_hidden_anisotropic_kernel_and_noise_are_found_from_other_images(found):
    truth = degradation()
    assert found.fwhm_voxels == pytest.approx(truth.fwhm_voxels, rel=0.15)
    assert found.noise == pytest.approx(truth.noise, rel=0.2)


def test_a_narrow_kernel_with_much_noise_is_found_by_the_spectrum_alone():
    truth = degradation(0.9, 0.9, 0.04)
    found = learn_degradation([coarse_slices(truth, 8)], [textured_slices(1), textured_slices(2)], FACTOR, 0)
    assert found.fwhm_voxels == pytest.approx(truth.fwhm_voxels, rel=0.15)
    assert found.noise == pytest.approx(truth.noise, rel=0.2)


def test_noise_that_the_sharp_scans_have_too_is_not_learned_again():
    j, i = torch.meshgrid(torch.arange(176), torch.arange(176), indexing="ij")
    body = torch.hypot(j - 87.5, i - 87.5) < 75
    own = [
        add_rician_noise(body * textured_slices(seed), 0.02, torch.Generator().manual_seed(seed)) for seed in (1, 2, 9)
    ]
    truth = degradation(0.8, 0.8, 0.01)
    coarse = truth.operator(own[2][:, None], FACTOR)
    coarse = add_rician_noise(coarse, truth.noise, torch.Generator().manual_seed(0))[:, 0]
    too_small = torch.ones(3, 6, 6)
    found = learn_degradation([coarse], [*own[:2], too_small], FACTOR, iterations=0)
    assert found.noise == pytest.approx(truth.noise, rel=0.05)
    assert found.fwhm_voxels == pytest.approx(truth.fwhm_voxels, rel=0.15)


def test_the_learned_kernel_is_normalised_and_centred_and_never_negative(found):
    assert found.kernel.sum() == pytest.approx(1)
    assert (found.kernel >= 0).all()
    offsets = np.arange(len(found.rows)) - (len(found.rows) - 1) / 2
    assert abs(found.kernel.sum(axis=1) @ offsets) < 1e-6
    assert abs(found.kernel.sum(axis=0) @ offsets) < 1e-6


def test_learning_repeats_by_its_seed(monkeypatch):
    monkeypatch.setattr(learned_degradation, "PATCHES", 100)
    coarse, sharp = [coarse_slices(degradation(), 9)], [textured_slices(1)]
    first, second = (learn_degradation(coarse, sharp, FACTOR, iterations=2, seed=3) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_refined_kernel_starts_as_the_fitted_one_for_even_and_odd_factors(factor):
    kernel = torch.stack([gaussian_taps(1.0, factor), gaussian_taps(1.5, factor)])
    torch.testing.assert_close(learned_degradation._UnimodalKernel(kernel)().detach(), kernel, atol=0.01, rtol=0)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_width_of_a_gaussian_is_its_fwhm(factor):
    assert full_width(gaussian_taps(1.5, factor)) == pytest.approx(1.5 * factor, rel=0.01)


def test_widths_are_given_in_mm_where_the_spacing_is_known():
    rows, columns = degradation().fwhm_voxels
    assert degradation().fwhm_mm == pytest.approx((rows, 1.5 * columns))


@pytest.mark.parametrize("factor", [2, 3])
def test_the_operator_keeps_the_half_voxel_rule(factor):
    ramp = torch.arange(16.0 * factor).expand(1, 1, 16 * factor, -1)
    coarse = degradation(factor=factor).operator(ramp, factor)
    torch.testing.assert_close(coarse[..., 4:-4], area_average(ramp, factor)[..., 4:-4])
    torch.testing.assert_close(degradation(factor=factor).operator(ramp.mT, factor), coarse.mT, atol=1, rtol=0)


def test_a_box_kernel_is_the_area_average():
    taps = (0.0,) * 4 + (0.5, 0.5) + (0.0,) * 4
    image = textured_slices(0, count=2, size=32)[:, None]
    torch.testing.assert_close(LearnedDegradation(taps, taps, 2, 0.0).operator(image, 2), area_average(image, 2))


def test_the_operator_of_another_factor_is_refused():
    with pytest.raises(InputError, match="learned for factor 2, not 4"):
        degradation().operator(torch.zeros(1, 1, 16, 16), 4)


def test_a_degradation_survives_its_file_which_is_plain_json(file):
    assert LearnedDegradation.load(file) == degradation()
    content = json.loads(file.read_text())
    assert content["factor"] == 2 and len(content["rows"]) == 10 and len(content["fwhm_mm"]) == 2


def test_files_that_hold_no_degradation_are_refused_in_one_sentence(tmp_path, file):
    other = tmp_path / "other.json"
    content = json.loads(file.read_text())
    for text in ("not json", "[]", "{}", json.dumps({**content, "rows": None})):
        other.write_text(text)
        with pytest.raises(InputError, match="not a learned degradation"):
            LearnedDegradation.load(other)
    with pytest.raises(InputError, match="no file"):
        LearnedDegradation.load(tmp_path / "absent.json")


def test_kernels_that_are_no_blur_are_refused(file):
    content = json.loads(file.read_text())
    wrong = {"rows": [0.1] * 9, "columns": [0.2] * 10, "noise": -1, "factor": 3}
    for key, value in wrong.items():
        file.write_text(json.dumps({**content, key: value}))
        with pytest.raises(InputError, match="learn it again"):
            LearnedDegradation.load(file)
    lopsided = [0.19, *[0.09] * 9]
    file.write_text(json.dumps({**content, "rows": lopsided}))
    with pytest.raises(InputError, match="not symmetric"):
        LearnedDegradation.load(file)


def test_the_transform_makes_coarse_noisy_slices_and_leaves_other_keys(file):
    image = textured_slices(0, count=1, size=64)
    result = LearnedDegradationd(["image"], file, noise_range=(1, 1))({"image": image, "label": 7})
    clean = degradation().operator(image[None], 2)[0]
    assert result["image"].shape == (1, 32, 32) and result["image"].dtype == torch.float32
    assert float((result["image"] - clean).std()) == pytest.approx(0.02, rel=0.1)
    assert result["label"] == 7


def test_the_transform_repeats_by_its_seed_and_draws_new_noise_each_time(file):
    image = textured_slices(0, count=1, size=64)
    transform = LearnedDegradationd(["image"], file)
    first, second = (transform.set_random_state(seed=5)({"image": image})["image"] for _ in range(2))
    third = transform({"image": image})["image"]
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_a_preset_draws_the_transform_beside_other_sources_of_pairs(file):
    transforms = [
        {"_target_": "Training.degradation.learned.estimator.LearnedDegradationd", "keys": "image", "file": str(file)}
    ]
    choice = {"_target_": "monai.transforms.OneOf", "weights": [1.0], "transforms": transforms}
    drawn = ConfigParser({"choice": choice}).get_parsed_content("choice")
    image = textured_slices(0, count=1, size=64)
    first, second = (drawn.set_random_state(seed=1)({"image": image})["image"] for _ in range(2))
    assert first.shape == (1, 32, 32) and torch.equal(first, second)


def test_the_transform_of_another_factor_is_refused(file):
    with pytest.raises(InputError, match="learned for factor 2, not 4"):
        LearnedDegradationd("image", file, factor=4)


def test_slices_too_small_or_too_dark_and_factors_below_two_are_refused():
    image = textured_slices(0, count=2, size=64)
    with pytest.raises(InputError, match="coarse scan must have slices"):
        learn_degradation([image[:, :8, :8]], [image], FACTOR)
    with pytest.raises(InputError, match="sharp scans hold too little tissue"):
        learn_degradation([image], [0.1 * image], FACTOR)
    with pytest.raises(InputError, match="give 2 or more"):
        learn_degradation([image], [image], 1)


def scan(path, slices, step):
    write_volume(Volume((1000 * slices).numpy().astype(np.int16), np.diag([step, step, 3, 1.0])), path)


def test_finer_sharp_scans_are_brought_to_the_grid_and_coarser_ones_refused(tmp_path):
    scan(tmp_path / "sharp.nii.gz", textured_slices(0, count=3, size=60), 0.8)
    slices, spacing = read_slices(tmp_path / "sharp.nii.gz")
    assert slices.shape == (3, 60, 60) and spacing == pytest.approx((0.8, 0.8))
    assert read_sharp_slices([tmp_path / "sharp.nii.gz"], (1.0, 1.0))[0].shape == (3, 48, 48)
    with pytest.raises(InputError, match=r"0\.80 mm, coarser than the 0\.50 mm"):
        read_sharp_slices([tmp_path / "sharp.nii.gz"], (0.5, 0.5))


def test_the_program_writes_the_degradation_and_its_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learned_degradation, "PATCHES", 100)
    sharp = tmp_path / "sharp"
    sharp.mkdir()
    scan(sharp / "a.nii.gz", textured_slices(1), 0.5)
    scan(tmp_path / "coarse.nii.gz", coarse_slices(degradation(), 9), 1.0)
    arguments = [tmp_path / "coarse.nii.gz", "--sharp", sharp, "--iterations", 1, "--out", tmp_path / "d.json"]
    assert main([*map(str, arguments), "--figure", str(tmp_path / "d.png")]) == 0
    assert LearnedDegradation.load(tmp_path / "d.json").spacing == pytest.approx((1.0, 1.0))
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    assert "mm down the rows" in capsys.readouterr().out


def test_the_program_says_bad_input_in_one_line(tmp_path, capsys):
    arguments = [tmp_path / "absent.nii.gz", "--sharp", tmp_path, "--out", tmp_path / "d.json"]
    assert main([str(a) for a in arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_preset_of_a_learned_degradation_trains_on_pairs_of_its_kernel_and_noise(
    file, data, repository, monkeypatch
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
