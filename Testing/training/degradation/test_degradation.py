"""The degradation keeps places and brightness, follows its formulas, and repeats by its seed."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.transforms import RandRicianNoised

from SuperResolutionLib.acquisition.noise import noise_level
from SuperResolutionLib.acquisition.operators import OPERATORS, area_average, kspace_crop_to
from SuperResolutionLib.acquisition.slice_profile import PROFILES, slice_profile_weights
from Training.degradation.ct import MTFS, RandMTFBlurd, RandQuantumNoised
from Training.degradation.mri import (
    WINDOWS,
    RandKSpaceWindowd,
    RandPartialFourierd,
    RandScannerNoised,
    RandZeroFilld,
    kspace_lines,
    zero_fill_to,
)
from Training.degradation.presets import Decimated, RandSliceProfiled, RandSoftnessd, SliceProfiled, read_preset

HEIGHT, WIDTH = 96, 64
PRESETS = ("degradation_mri.yaml", "degradation_ct.yaml", "degradation_seed.yaml")
seeded = settings(deadline=None, derandomize=True, database=None, max_examples=15)


def on_fine_grid(factor):
    return {
        "window": RandKSpaceWindowd("image", factor, prob=1.0),
        "partial Fourier": RandPartialFourierd("image", factor, prob=1.0),
        "MTF": RandMTFBlurd("image", factor, prob=1.0),
        "softness": RandSoftnessd("image", prob=1.0),
    }


def run(transform, image, seed=0):
    if hasattr(transform, "set_random_state"):
        transform.set_random_state(seed)
    return transform({"image": image})["image"]


def blob(y, x, sigma):
    rows, columns = torch.arange(HEIGHT).double(), torch.arange(WIDTH).double()
    return torch.exp(-((rows[:, None] - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))[None]


def place(image):
    """Return the centre of mass of the squared image in fine voxels, by the half-voxel rule."""
    energy = image[0].abs() ** 2
    result = []
    for axis, fine in enumerate((HEIGHT, WIDTH)):
        index = torch.arange(energy.shape[axis]).double()
        mean = float((energy.sum(1 - axis) * index).sum() / energy.sum())
        result.append((mean + 0.5) * fine / energy.shape[axis] - 0.5)
    return result


@pytest.fixture(scope="module")
def presets(repository):
    return [repository / "Training" / "configs" / name for name in PRESETS]


@pytest.mark.parametrize(
    "name, operator",
    [
        ("window", "kspace"),
        ("partial Fourier", "kspace"),
        ("MTF", "area"),
        ("MTF", "bicubic"),
        ("MTF", "kspace"),
        ("softness", "area"),
        ("softness", "bicubic"),
        ("softness", "kspace"),
    ],
)
@seeded
@given(y=st.floats(38, 58), x=st.floats(28, 36), factor=st.sampled_from((2, 4)), seed=st.integers(0, 99))
def test_a_blob_stays_in_its_place_through_every_step_in_the_plane(name, operator, y, x, factor, seed):
    image = run(on_fine_grid(factor)[name], blob(y, x, 1.5 * factor), seed)
    coarse = run(Decimated("image", factor, operator), image)
    np.testing.assert_allclose(place(coarse), (y, x), atol=0.03)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("name", on_fine_grid(2))
def test_a_uniform_slice_stays_uniform_to_its_borders(name, factor):
    image = torch.full((1, 32, 40), 0.7)
    for seed in range(8):
        changed = run(on_fine_grid(factor)[name], image, seed)
        torch.testing.assert_close(changed.abs(), image, atol=1e-5, rtol=0)
    for operator in OPERATORS:
        coarse = run(Decimated("image", factor, operator), image)
        torch.testing.assert_close(coarse, torch.full((1, 32 // factor, 40 // factor), 0.7))


@pytest.mark.parametrize("operator", OPERATORS)
def test_decimation_is_the_engines_operator_on_the_named_keys_only(operator):
    data = {"image": torch.rand(1, 16, 24), "label": torch.rand(1, 16, 24)}
    result = Decimated("image", 4, operator)(data)
    torch.testing.assert_close(result["image"], OPERATORS[operator](data["image"][None], 4)[0])
    assert result["label"] is data["label"]
    assert data["image"].shape == (1, 16, 24)


def test_windows_are_one_at_the_centre_fall_steadily_and_end_at_their_known_values():
    radius = torch.linspace(0, 1, 101)
    for strength in (0.2, 0.6, 1.0):
        for window in WINDOWS.values():
            values = window(radius, strength)
            assert values[0] == 1
            assert (values.diff() <= 1e-6).all()
        assert float(WINDOWS["tukey"](radius, strength)[-1]) == pytest.approx(0, abs=1e-6)
        assert float(WINDOWS["tukey"](torch.tensor(1 - strength / 2), strength)) == pytest.approx(0.5, abs=1e-6)
        assert float(WINDOWS["hamming"](radius, strength)[-1]) == pytest.approx(1 - 0.92 * strength)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_window_weights_the_acquired_band_and_nothing_is_left_beyond_it(factor):
    image = torch.zeros(1, 32, 48)
    image[0, 5, 7] = 1  # its k-space is 1 everywhere
    spectrum = torch.fft.fft2(run(RandKSpaceWindowd("image", factor, (1.0, 1.0), prob=1.0), image)).abs()[0]
    for axis, size in enumerate((32, 48)):
        radius = kspace_lines(size).abs() * 2 * factor / size
        profile = spectrum.select(1 - axis, 0)
        assert (profile[radius > 1] < 1e-6).all()
        assert any(
            torch.allclose(profile[radius <= 1], window(radius[radius <= 1], 1.0), atol=1e-5)
            for window in WINDOWS.values()
        )


def test_partial_fourier_leaves_out_the_last_lines_of_one_side_of_one_axis():
    image = torch.zeros(1, 64, 64)
    image[0, 20, 30] = 1
    seen = set()
    for seed in range(12):
        complex_image = run(RandPartialFourierd("image", 2, (0.75, 0.75), prob=1.0), image, seed)
        acquired = torch.fft.fft2(complex_image).abs()[0] > 0.5
        axis = 0 if not acquired[:, 0].all() else 1
        line = acquired.select(1 - axis, 0)
        numbers = kspace_lines(64)
        missing = numbers[~line & (numbers >= -16) & (numbers < 16)]
        assert len(missing) == 8  # a quarter of 32
        assert len(set(missing.sign().tolist())) == 1 and missing.abs().min() >= 8
        assert acquired.select(axis, 0).all()
        seen.add((axis, float(missing[0].sign())))
    assert len(seen) == 4


@seeded
@given(
    size=st.tuples(st.integers(9, 20), st.integers(9, 20)),
    growth=st.floats(1, 2.5),
    seed=st.integers(0, 9999),
)
def test_zero_filling_and_cropping_back_gives_the_acquired_slice(size, growth, seed):
    noise = torch.randn(1, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    inner = tuple((side - 1) // 2 * 2 - 1 for side in size)  # no line without its opposite, so that it can stay real
    image = 1 + 0.5 * zero_fill_to(kspace_crop_to(20 + noise, inner), size) / 20
    larger = tuple(math.ceil(side * growth) for side in size)
    filled = zero_fill_to(image, larger)
    assert filled.shape == (1, *larger)
    torch.testing.assert_close(kspace_crop_to(filled, size), image, atol=1e-7, rtol=0)


@seeded
@given(y=st.floats(38, 58), x=st.floats(28, 36), seed=st.integers(0, 99))
def test_a_zero_filled_slice_keeps_its_size_and_its_place(y, x, seed):
    filled = run(RandZeroFilld("image", prob=1.0), blob(y, x, 4.0), seed)
    assert filled.shape == (1, HEIGHT, WIDTH)
    np.testing.assert_allclose(place(filled), (y, x), atol=0.02)


def test_zero_filling_leaves_no_energy_beyond_the_acquired_matrix():
    image = 2 + torch.randn(1, 64, 64, dtype=torch.float64) / 10
    filled = run(RandZeroFilld("image", (0.5, 0.5), prob=1.0), image)
    radius = kspace_lines(64).abs()
    spectrum = torch.fft.fft2(filled).abs()[0]
    assert spectrum[radius > 17].max() < 1e-3 * spectrum[0, 0]
    assert spectrum[:, radius > 17].max() < 1e-3 * spectrum[0, 0]


@pytest.mark.parametrize("signal", [0.0, 0.06, 0.2, 1.0])
def test_rician_noise_has_the_mean_and_power_of_the_closed_form(signal):
    sigma = 0.06
    add_noise = RandRicianNoised("image", std=sigma, sample_std=False, prob=1.0)
    noisy = torch.as_tensor(run(add_noise, torch.full((1, 400, 400), signal))).double()
    half = torch.tensor(signal**2 / (4 * sigma**2), dtype=torch.float64)
    laguerre = (1 + 2 * half) * torch.special.i0e(half) + 2 * half * torch.special.i1e(half)
    assert float(noisy.mean()) == pytest.approx(sigma * math.sqrt(math.pi / 2) * float(laguerre), rel=0.01)
    assert float((noisy**2).mean()) == pytest.approx(signal**2 + 2 * sigma**2, rel=0.015)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_has_area_one_and_falls_to_half_its_height_at_half_its_width(name):
    fwhm, step = 3.0, 1e-4
    distance = torch.tensor([-60.0, 0.0, fwhm / 2, 60.0], dtype=torch.float64)
    integral = PROFILES[name]
    torch.testing.assert_close(integral(distance, fwhm)[[0, 1, 3]], torch.tensor([0.0, 0.5, 1.0]).double())
    height = (integral(distance + step, fwhm) - integral(distance - step, fwhm)) / (2 * step)
    assert float(height[2] / height[1]) == pytest.approx(0.5, abs=1e-3)


def test_slices_as_thick_as_their_spacing_are_the_averages_of_the_thin_ones():
    thin = torch.rand(1, 12, 5, 6)
    thick = run(SliceProfiled("image", spacing=4, fwhm=4, profile="boxcar"), thin)
    torch.testing.assert_close(thick, thin.reshape(1, 3, 4, 5, 6).mean(dim=2))
    in_a_slice = run(SliceProfiled("image", spacing=2, fwhm=2, profile="boxcar", axis=2), thin[:, 0])
    torch.testing.assert_close(in_a_slice, thin[:, 0].reshape(1, 5, 3, 2).mean(dim=3))


def test_a_gap_loses_the_tissue_between_slices_and_an_overlap_sees_it_twice():
    thin = torch.arange(1.0, 13.0)[None, :, None, None] ** 2
    with_gap = run(SliceProfiled("image", spacing=3, fwhm=1, profile="boxcar"), thin)
    torch.testing.assert_close(with_gap, thin[:, 1::3])
    overlapping = run(SliceProfiled("image", spacing=3, fwhm=5, profile="boxcar"), thin)
    inner = torch.stack([thin[:, 2:7].mean(dim=1), thin[:, 5:10].mean(dim=1)], dim=1)
    torch.testing.assert_close(overlapping[:, 1:3], inner)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_the_axis_across_the_slices_can_be_any(axis):
    image = torch.rand(1, 10, 9, 8)
    expected = run(SliceProfiled("image", 2.5, 3.0), image.movedim(axis, 1)).movedim(1, axis)
    torch.testing.assert_close(run(SliceProfiled("image", 2.5, 3.0, axis=axis), image), expected)


@seeded
@given(
    size=st.integers(8, 60),
    spacing=st.one_of(st.integers(1, 7), st.floats(1, 7)),
    thickness=st.floats(0.4, 2),
    profile=st.sampled_from(sorted(PROFILES)),
)
def test_slices_tile_the_volume_and_each_sees_a_whole_profile(size, spacing, thickness, profile):
    weights = slice_profile_weights(size, spacing, thickness * spacing, profile)
    assert weights.shape == (math.floor(size / spacing + 1e-6), size)
    assert (weights >= -1e-12).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(weights)).double())
    centres = weights @ torch.arange(size).double()
    expected = (torch.arange(len(weights)) + 0.5) * spacing - 0.5
    reach = 2 * thickness * spacing + 1
    inner = (expected > reach) & (expected < size - 1 - reach)
    symmetric = abs(spacing - round(spacing)) < 1e-9  # else a profile's edge may fall anywhere in a voxel
    torch.testing.assert_close(centres[inner], expected[inner].double(), atol=1e-6 if symmetric else 0.5, rtol=0)


def test_random_slice_profiles_stay_in_their_range_and_repeat_by_their_seed():
    thin = torch.zeros(1, 41, 2, 2)
    thin[:, 20] = 1
    draw = RandSliceProfiled("image", spacing=8.2, thickness=(0.5, 1.0), profiles=("boxcar",))
    peaks = [float(run(draw, thin, seed).max()) for seed in range(30)]
    assert peaks == [float(run(draw, thin, seed).max()) for seed in range(30)]
    assert 1 / 8.2 - 1e-3 <= min(peaks) < 0.14 and 0.2 < max(peaks) <= 1 / 4.1 + 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_an_mtf_scales_each_wave_by_its_value_and_halves_contrast_at_f50(seed):
    blur = RandMTFBlurd("image", 2, f50=(0.25, 0.25), prob=1.0)
    for waves in (4, 16, 28):  # in 64 voxels, of those that a mirror at the borders continues
        wave = torch.cos(math.pi * waves * (torch.arange(64) + 0.5) / 64).expand(1, 64, 64)
        frequency = torch.tensor(2 * waves / 128)
        ratio = run(blur, wave, seed) / wave
        assert float(ratio.max() - ratio.min()) < 1e-3
        assert any(math.isclose(float(ratio.mean()), mtf(frequency, 0.25), abs_tol=1e-4) for mtf in MTFS.values())
        if waves == 16:
            assert float(ratio.mean()) == pytest.approx(0.5, abs=1e-4)


@seeded
@given(seed=st.integers(0, 999))
def test_a_soft_scan_is_one_blurred_by_a_gaussian_of_the_drawn_width_along_each_axis(seed):
    soften = RandSoftnessd(["image", "label"], (0.4, 1.6), prob=1.0)
    image = torch.zeros(1, 41, 45, dtype=torch.float64)
    image[0, 20, 22] = 1
    soften.set_random_state(seed)
    soft = soften({"image": image, "label": image})
    assert torch.equal(soft["image"], soft["label"])
    rows, columns = (torch.arange(side).double() - side // 2 for side in (41, 45))
    spread = [float((soft["image"][0].sum(1 - axis) * x**2).sum()) for axis, x in ((0, rows), (1, columns))]
    np.testing.assert_allclose(np.sqrt(spread), soften._sigma, atol=1e-3)
    assert float(soft["image"].sum()) == pytest.approx(1)


@seeded
@given(seed=st.integers(0, 999))
def test_scanner_noise_is_rician_and_what_is_told_is_about_what_a_survey_finds(seed):
    add_noise = RandScannerNoised("image", (0.05, 0.05), prob=1.0)
    add_noise.set_random_state(seed)
    noisy = add_noise({"image": torch.ones(2, 160, 160)})
    noise = noisy["image"] - 1
    assert float(noise.std()) == pytest.approx(0.05, rel=0.15)
    assert noisy["image"].min() > 0 and not torch.equal(noise[0], noise[1])
    found = noise_level(noisy["image"].numpy())
    assert 0.4 * found < float(noisy["noise"]) < 1.5 * found


def test_where_there_is_no_noise_none_is_told():
    for transform in (RandScannerNoised("image", (0.0, 0.06), prob=0.0), RandQuantumNoised("image", prob=0.0)):
        assert float(transform({"image": torch.ones(1, 8, 8)})["noise"]) == 0


def test_a_coil_that_is_near_one_side_leaves_more_noise_on_the_other():
    add_noise = RandScannerNoised("image", (0.05, 0.05), prob=1.0)
    ratios = []
    for seed in range(40):
        add_noise.set_random_state(seed)
        noise = add_noise({"image": torch.ones(1, 96, 96)})["image"][0]
        ratios.append(abs(float(noise[:32].std() / noise[-32:].std()) - 1))
    assert max(ratios) > 0.25 and sorted(ratios)[15] < 0.06


def test_quantum_noise_has_its_standard_deviation_and_the_spectrum_of_a_filtered_back_projection():
    noise = torch.stack(
        [run(RandQuantumNoised("image", (0.02, 0.02), (0.3, 0.3), prob=1.0), torch.ones(1, 64, 64), seed) - 1
         for seed in range(60)]
    ).double()  # fmt: skip
    assert float(noise.std()) == pytest.approx(0.02, rel=0.02)
    assert noise.mean(dim=(1, 2, 3)).abs().max() < 1e-6
    power = torch.fft.fft2(noise).abs().square().mean(dim=(0, 1))
    frequency = torch.hypot(*torch.meshgrid(torch.fft.fftfreq(64), torch.fft.fftfreq(64), indexing="ij"))
    expected = frequency * MTFS["gaussian"](frequency, 0.3) ** 2
    expected = expected / expected.sum() * power.sum()
    for low in np.arange(0.02, 0.5, 0.06):
        ring = (frequency > low) & (frequency <= low + 0.06)
        assert float(power[ring].mean()) == pytest.approx(float(expected[ring].mean()), rel=0.1)


@pytest.mark.parametrize("number", range(len(PRESETS)))
@pytest.mark.parametrize("factor", [2, 4])
def test_a_preset_makes_plain_pairs_and_repeats_by_its_seed(presets, number, factor):
    image = torch.rand(1, 48, 64)
    for transforms, data in zip(
        read_preset(presets[number], factor),
        ({"image": image, "label": image}, {"image": image[:, :16, :16], "label": image[:, :32, :32]}),
    ):
        results = []
        for seed in (*range(6), *range(6)):
            transforms.set_random_state(seed)
            results.append(transforms(data))
        for one, same in zip(results[:6], results[6:]):
            assert type(one["image"]) is type(one["label"]) is torch.Tensor
            assert one["image"].dtype == one["label"].dtype == torch.float32
            assert torch.equal(one["image"], same["image"]) and torch.equal(one["label"], same["label"])
        assert any(not torch.equal(results[0]["image"], result["image"]) for result in results[1:6])


def test_slice_transforms_make_the_image_coarse_and_keep_the_labels_size(presets):
    image = torch.rand(1, 48, 64)
    for preset in presets:
        pair = read_preset(preset, 4)[0]({"image": image, "label": image})
        assert pair["image"].shape == (1, 12, 16) and pair["label"].shape == (1, 48, 64)


def test_the_mri_preset_draws_its_operators_by_their_shares_from_the_same_object_as_the_label(presets):
    slice_transforms, _ = read_preset(presets[0], 2)
    slice_transforms.set_random_state(0)
    image, drawn, changed = torch.rand(1, 24, 24) + 0.1, [], 0
    for _ in range(400):
        pair = slice_transforms({"image": image, "label": image})
        changed += not torch.equal(pair["label"], image)
        exact = [
            name
            for name, operator in OPERATORS.items()
            if torch.allclose(operator(pair["label"][None], 2)[0].clamp(min=0), pair["image"], atol=1e-5)
        ]
        drawn.append(exact[0] if exact else "weighted k-space")
    shares = {name: drawn.count(name) / len(drawn) for name in drawn}
    expected = {"bicubic": 0.30, "area": 0.25, "kspace": 0.45 * 0.7225, "weighted k-space": 0.45 * 0.2775}
    assert shares == pytest.approx(expected, abs=0.06)
    assert changed / 400 == pytest.approx(1 - 0.75**2 * 0.6, abs=0.07)


def test_the_mri_preset_makes_no_negative_signal(presets):
    slice_transforms, _ = read_preset(presets[0], 2)
    slice_transforms.set_random_state(0)
    square = torch.zeros(1, 48, 48)
    square[:, 16:32, 16:32] = 1.0
    assert OPERATORS["bicubic"](square[None], 2).min() < -0.01
    assert min(slice_transforms({"image": square, "label": square})["image"].min() for _ in range(20)) == 0


def test_the_mri_presets_patches_are_noisy_by_share_flipped_turned_and_scaled_together(presets):
    _, patch_transforms = read_preset(presets[0], 2)
    fine = (torch.arange(16.0)[:, None] + 0.1 * torch.arange(16.0))[None] / 16 + 1
    data = {"image": area_average(fine[None], 2)[0], "label": fine}
    patch_transforms.set_random_state(0)
    noises, gains, views = [], [], set()
    for _ in range(200):
        pair = patch_transforms(data)
        gain = float(pair["label"].max() / fine.max())
        noises.append(float((area_average(pair["label"][None], 2)[0] - pair["image"]).std()))
        gains.append(gain)
        views.add(tuple(pair["label"][0, [0, 0, -1, -1], [0, -1, 0, -1]].argsort().tolist()))
    noisy = [noise for noise in noises if noise > 1e-5]
    assert len(noisy) / 200 == pytest.approx(0.5, abs=0.1)
    assert max(noisy) < 0.075 and np.mean(noisy) == pytest.approx(0.03, abs=0.005)
    assert len(views) == 8
    assert 0.75 <= min(gains) < 0.8 and 1.2 < max(gains) <= 1.2501


def test_the_documentations_picture_is_drawn_from_the_embedded_slice(tmp_path):
    from Training.degradation.figure import draw

    draw(str(tmp_path / "degradation.png"))
    assert 50_000 < (tmp_path / "degradation.png").stat().st_size < 400_000


def test_a_preset_without_one_of_its_lists_is_refused(tmp_path):
    preset = tmp_path / "half.yaml"
    preset.write_text("slice_transforms: []\n")
    with pytest.raises(KeyError, match="patch_transforms"):
        read_preset(preset, 2)


def test_the_degradation_leaves_monais_tracking_of_metadata_as_it_was(presets):
    from monai.data import MetaTensor, get_track_meta

    image = MetaTensor(torch.rand(1, 16, 16))
    assert type(read_preset(presets[0], 2)[1]({"image": image, "label": image})["label"]) is torch.Tensor
    assert get_track_meta()
