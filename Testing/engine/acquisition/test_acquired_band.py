"""The acquired band of a zero-filled scan is found, an unfilled scan is left alone, and the crop keeps the place."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.acquisition.acquired_band import AcquiredBand, detect_acquired_band
from SuperResolutionLib.acquisition.band_crop import crop_to_band
from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.operators import OPERATORS
from SuperResolutionLib.acquisition.survey import slice_axis
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.interpolation import interpolate
from SuperResolutionLib.geometry.volume import Volume

SPACING = (0.45, 0.45, 3.0)


def shares_of(slices, across=2):
    """Return the shares along the rows' and the columns' direction of ``(N, H, W)`` slices."""
    matrix = np.diag([*np.roll(SPACING, across - 2), 1.0])
    volume = Volume(np.moveaxis(slices, 0, 2 - across), matrix)
    first, last = (share for axis, share in enumerate(detect_acquired_band(volume, across).shares) if axis != across)
    return last, first


# ---------------------------------------------------------------- what is found


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (1, 0.5), (0.562, 1), (0.667, 0.8), (0.8, 1)], ids=str)
def test_the_acquired_share_is_found_to_5_percent(anatomy, zero_filled, shares, noise):
    found = shares_of(zero_filled(anatomy, shares, noise))
    for share, expected in zip(found, shares):
        assert share == pytest.approx(expected, rel=0.05) if expected < 1 else share == 1


@pytest.mark.parametrize("across", [0, 1, 2])
def test_the_band_is_found_whichever_axis_the_slices_are_stored_along(anatomy, zero_filled, across):
    rows, columns = shares_of(zero_filled(anatomy, (1, 0.5), 0.01), across)
    assert (rows, columns) == (1, 0.5)


@pytest.mark.parametrize("taper", [0.1, 0.3, 0.5])
def test_a_window_that_softens_the_edge_does_not_hide_it(anatomy, zero_filled, taper):
    rows, columns = shares_of(zero_filled(anatomy, (0.667, 1), 0.01, taper))
    assert rows == pytest.approx(0.667, rel=0.08) and columns == 1


def test_one_slice_is_enough(anatomy, zero_filled):
    assert shares_of(zero_filled(anatomy[:1], (0.5, 1), 0.01)) == (0.5, 1)


def test_borders_that_are_masked_to_zero_do_not_hide_the_edge(anatomy, zero_filled):
    filled = zero_filled(anatomy, (0.5, 1), 0.01)
    filled[:, :20] = filled[:, -14:] = filled[:, :, :18] = 0
    assert shares_of(filled) == (0.5, 1)


def test_a_half_is_named_exactly_so_that_no_resampling_is_needed(anatomy, zero_filled):
    volume = Volume(zero_filled(anatomy, (0.508, 0.492), 0.01), np.diag([*SPACING, 1.0]))
    assert detect_acquired_band(volume, 2).dimensions == (80, 88, len(anatomy))


def test_a_spline_interpolated_scan_counts_as_filled(anatomy, scanned):
    fine = interpolate(Volume(scanned(anatomy, 0.02), np.eye(4)), (2, 2, 1)).voxels
    for share in shares_of(np.rint(fine).astype(np.int16)):
        assert 0.4 < share < 0.85  # the spline leaves a little of what lies beyond the old Nyquist frequency


# ---------------------------------------------------------------- what is left alone


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03, 0.06])
def test_a_scan_that_is_not_filled_is_left_alone(anatomy, scanned, noise):
    assert shares_of(scanned(anatomy, noise)) == (1, 1)


@pytest.mark.parametrize("sigma", [0.4, 0.6, 0.8])
def test_a_blurred_scan_is_not_taken_for_a_filled_one(anatomy, scanned, sigma):
    frequencies = [np.fft.fftfreq(size) for size in anatomy.shape[1:]]
    blur = np.exp(-2 * (np.pi * sigma) ** 2 * (frequencies[0][:, None] ** 2 + frequencies[1] ** 2))
    blurred = np.fft.ifft2(np.fft.fft2(scanned(anatomy, 0.01)) * blur).real
    assert shares_of(np.rint(blurred).astype(np.int16)) == (1, 1)


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("name", OPERATORS)
def test_what_the_evaluation_makes_coarser_is_not_taken_for_filled(anatomy, scanned, name, noise):
    coarse = OPERATORS[name](torch.from_numpy(scanned(anatomy, 0.005).astype(np.float32))[:, None], 2).clamp(min=0)
    coarse = add_rician_noise(coarse, 1000 * noise, torch.Generator().manual_seed(0))
    assert shares_of(np.rint(coarse[:, 0].numpy()).astype(np.int16)) == (1, 1)


def test_a_share_above_nine_tenths_is_left_alone(anatomy, zero_filled):
    assert shares_of(zero_filled(anatomy, (0.95, 0.96), 0.01)) == (1, 1)


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 40, 44), (2, 47, 30)], ids=str)
def test_slices_with_too_few_voxels_to_tell_are_left_alone(shape):
    assert shares_of(np.random.default_rng(0).normal(100, 9, shape)) == (1, 1)


@pytest.mark.parametrize("value", [0, 7, np.nan])
def test_a_volume_without_any_content_is_left_alone(value):
    assert shares_of(np.full((3, 64, 64), value)) == (1, 1)


def test_noise_alone_is_left_alone():
    assert shares_of(np.random.default_rng(0).normal(0, 100, (4, 96, 96))) == (1, 1)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("t1_openfmri-ds011_sub01", (120, 192)),
        ("flair_openms-long_p01s1", (224, 320)),
        ("t2_prostatex0000_tra", (384, 384)),
        ("t1gd_siemens-avanto_vsseg001", (256, 256)),
    ],
)
def test_real_scans_are_told_apart(scans, name, expected):
    volume = read_volume(scans / "train" / f"{name}.nii.gz")
    band = detect_acquired_band(volume, slice_axis(volume))
    np.testing.assert_allclose(band.dimensions[:2], expected, rtol=0.03)


# ---------------------------------------------------------------- what it costs and says


def test_a_scan_of_512_x_512_x_30_takes_less_than_a_second_of_one_core():
    voxels = np.random.default_rng(0).integers(0, 900, (30, 512, 512)).astype(np.int16)
    began = time.process_time()
    detect_acquired_band(Volume(voxels, np.diag([*SPACING, 1.0])), 2)
    assert time.process_time() - began < 1


def test_detecting_needs_no_torch(repository):
    code = "import sys, SuperResolutionLib.acquisition.acquired_band\nprint(*({'torch', 'SimpleITK'} & {*sys.modules}))"
    end = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repository, timeout=60)
    assert (end.returncode, end.stdout) == (0, "\n"), end.stderr


@pytest.mark.parametrize(
    "spacing, shares, words",
    [
        ((0.45, 0.45, 3), (0.5, 0.5, 1), "stored at 0.45 mm, acquired at 0.9 mm"),
        ((0.45, 0.45, 3), (0.5, 1, 1), "stored at 0.45 mm, acquired at 0.9 x 0.45 mm"),
        ((0.7, 1, 3), (0.7, 1, 1), "stored at 0.7 x 1 mm, acquired at 1 mm"),
        ((12, 12, 30), (0.8, 0.8, 1), "stored at 12 mm, acquired at 15 mm"),
        ((0.45, 0.45, 3), (1, 1, 1), "stored at 0.45 mm, acquired as stored (not zero-filled)"),
    ],
)
def test_the_band_is_told_in_plain_words(spacing, shares, words):
    assert AcquiredBand(2, spacing, shares, (9, 9, 9)).in_words() == words


def test_the_sentence_says_what_is_upscaled():
    band = AcquiredBand(2, SPACING, (0.5, 0.5, 1.0), (9, 9, 9))
    assert band.sentence() == "Stored at 0.45 mm, acquired at 0.9 mm; upscaled from the acquired band."
    assert band.sentence(as_stored=True) == "Stored at 0.45 mm, acquired at 0.9 mm; left as stored."
    unfilled = AcquiredBand(2, SPACING, (1.0, 1.0, 1.0), (9, 9, 9))
    assert unfilled.sentence() == "Stored at 0.45 mm, acquired as stored (not zero-filled)."


# ---------------------------------------------------------------- the crop


def random_matrix(seed):
    random = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = np.linalg.qr(random.normal(size=(3, 3)))[0] * random.uniform(0.4, 4, 3)
    matrix[:3, 3] = random.uniform(-300, 300, 3)
    return matrix


@given(st.integers(0, 10**6), st.sampled_from([0, 1, 2]), st.tuples(st.floats(0.3, 1), st.floats(0.3, 1)))
def test_the_cropped_samples_tile_the_same_box_for_any_share(seed, across, wanted):
    random = np.random.default_rng(seed)
    volume = Volume(random.normal(100, 20, random.integers(3, 30, 3)), random_matrix(seed))
    kept = list(volume.dimensions)
    for axis, share in zip((axis for axis in range(3) if axis != across), wanted):
        kept[axis] = max(1, round(share * kept[axis]))
    shares = tuple(int(new) / int(old) for new, old in zip(kept, volume.dimensions))
    cropped = crop_to_band(volume, AcquiredBand(across, volume.spacing, shares, tuple(kept)))
    assert cropped.dimensions == tuple(kept)
    np.testing.assert_allclose(cropped.ras_bounds(), volume.ras_bounds(), atol=1e-6, rtol=0)
    assert cropped.voxels.mean() == pytest.approx(volume.voxels.mean(), rel=1e-9)


@pytest.mark.parametrize("kept", [(40, 36), (41, 36), (64, 25)], ids=str)
def test_cropping_undoes_zero_filling(kept):
    random = np.random.default_rng(0)
    acquired = random.normal(1000, 100, (2, *kept[::-1]))
    frequencies = [np.fft.fftfreq(size, 1 / size) for size in kept[::-1]]
    spectrum = np.fft.fft2(acquired)
    for axis, size in enumerate(kept[::-1]):  # at an even Nyquist frequency there is nothing to be certain of
        spectrum[(slice(None),) * (axis + 1) + (np.abs(frequencies[axis]) >= size / 2,)] = 0
    acquired = np.fft.ifft2(spectrum).real
    places = [(np.arange(72) + 0.5) * size / 72 - 0.5 for size in kept[::-1]]
    back = [np.exp(2j * np.pi * np.outer(p, f) / len(f)) / len(f) for p, f in zip(places, frequencies)]
    stored = Volume((back[0] @ spectrum @ back[1].T).real, np.eye(4))
    shares = (kept[0] / 72, kept[1] / 72, 1.0)
    cropped = crop_to_band(stored, AcquiredBand(2, stored.spacing, shares, (*kept, 2)))
    np.testing.assert_allclose(cropped.voxels, acquired, atol=1e-6)


def test_cropping_keeps_the_scalar_type_and_magnitudes_free_of_negative_voxels(anatomy, zero_filled):
    filled = zero_filled(anatomy, (0.5, 0.5))
    band = AcquiredBand(2, SPACING, (0.5, 0.5, 1.0), (80, 88, len(anatomy)))
    magnitude = crop_to_band(Volume(filled, np.diag([*SPACING, 1.0]), "MR"), band)
    assert magnitude.voxels.dtype == np.int16 and magnitude.voxels.min() == 0 and magnitude.modality == "MR"
    signed = crop_to_band(Volume(filled - np.int16(500), np.diag([*SPACING, 1.0])), band)
    np.testing.assert_allclose(signed.voxels.astype(int) + 500, magnitude.voxels, atol=60)
    assert signed.voxels.min() < -500
