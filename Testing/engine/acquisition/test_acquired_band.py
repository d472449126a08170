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
from SuperResolutionLib.acquisition.spectral_ending import TOO_FEW, UNSURE, spectral_ending
from SuperResolutionLib.acquisition.survey import slice_axis, survey
from SuperResolutionLib.errors import InputError
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


@pytest.mark.parametrize("share", [0.5, 0.52, 0.54])
@pytest.mark.parametrize("taper", [0.3, 0.6])
def test_a_soft_edge_that_falls_across_the_half_is_a_half(anatomy, zero_filled, share, taper):
    assert shares_of(zero_filled(anatomy, (1, share), 0.005, taper)) == (1, 0.5)


@pytest.mark.parametrize("share", [0.5313, 0.55, 0.5625])
def test_a_sharp_edge_above_the_half_is_none(anatomy, zero_filled, share):
    assert shares_of(zero_filled(anatomy, (1, share), 0.01))[1] == pytest.approx(share, abs=0.01)


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


@pytest.mark.parametrize("share", [0.2, 0.22, 0.24])
def test_an_edge_below_a_quarter_is_not_believed(anatomy, zero_filled, share):
    found = spectral_ending(zero_filled(anatomy, (1, share), 0.01))
    assert (found.share, found.doubt) == (1, UNSURE)


@pytest.mark.parametrize("count, share", [(64, 0.73), (80, 0.8), (96, 0.84)])
def test_an_edge_at_the_end_of_the_search_is_not_believed(zero_filled, count, share):
    noise = np.random.default_rng(1).normal(0, 100, (6, 96, count)) + 500
    found = spectral_ending(zero_filled(noise, (1, share)))
    assert (found.share, found.doubt) == (1, UNSURE)
    nearer = spectral_ending(zero_filled(noise, (1, share - 0.07)))
    assert (nearer.share, nearer.doubt) == (pytest.approx(share - 0.07, abs=0.03), "")


# ---------------------------------------------------------------- what the file says comes first


def scan_that_states(voxels, i=None, j=None, k=None, said_by="the DICOM header"):
    return Volume(voxels, np.diag([*SPACING, 1.0]), "MR", acquired_shares=(i, j, k), acquired_from=said_by)


@pytest.mark.parametrize("filled", [(0.5, 0.5), (0.47, 0.8), (1, 1)], ids=str)
def test_a_stated_share_is_taken_by_its_exact_number_whatever_the_spectrum_finds(anatomy, zero_filled, filled):
    band = detect_acquired_band(scan_that_states(zero_filled(anatomy, filled, 0.01), i=71 / 160, j=79 / 176), 2)
    assert band.dimensions == (71, 79, 4)
    assert (band.acquired_from, band.doubts) == ("the DICOM header", ("", "", ""))


def test_a_stated_share_needs_no_spectrum():
    few = scan_that_states(np.random.default_rng(0).normal(100, 9, (3, 40, 44)), i=0.5, j=39 / 40, said_by="t1.json")
    band = detect_acquired_band(few, 2)
    assert (band.dimensions, band.acquired_from, band.doubts) == ((22, 40, 3), "t1.json", ("", "", ""))


def test_an_axis_that_the_file_does_not_tell_of_is_left_to_the_spectrum(anatomy, zero_filled):
    band = detect_acquired_band(scan_that_states(zero_filled(anatomy, (0.5, 0.5), 0.01), j=90 / 176), 2)
    assert band.dimensions == (80, 90, 4)
    assert band.acquired_from == "the spectrum along i, the DICOM header along j"


def test_a_sharp_edge_well_below_what_is_stated_wins(anatomy, zero_filled):
    band = detect_acquired_band(scan_that_states(zero_filled(anatomy, (1, 0.33), 0.01), i=0.44, j=1), 2)
    assert band.shares[0] == pytest.approx(0.33, abs=0.01) and band.shares[1] == 1
    assert band.said_by[0] == "the spectrum, whose sharp edge lies below the 0.44 of the DICOM header"


@pytest.mark.parametrize("stated", [0.37, 0.35])
def test_an_edge_near_what_is_stated_does_not(anatomy, zero_filled, stated):
    band = detect_acquired_band(scan_that_states(zero_filled(anatomy, (1, 0.33), 0.01), i=stated, j=1), 2)
    assert band.shares[0] == round(stated * 160) / 160 and band.said_by[0] == "the DICOM header"


def test_the_gaps_in_the_spectrum_of_a_periodic_object_are_no_edge_below_what_is_stated(zero_filled):
    y, x = np.mgrid[:176, :160]
    grid = np.stack([(x // 8 + y // 8) % 2 * 800.0 + 100] * 3)
    filled = zero_filled(grid, (1, 1), 0.01)
    assert shares_of(filled)[1] < 0.45  # alone, the spectrum is fooled
    band = detect_acquired_band(scan_that_states(filled, i=0.625, j=1), 2)
    assert (band.dimensions, band.acquired_from) == ((100, 176, 3), "the DICOM header")


@pytest.mark.parametrize("stated", [1.0, 0.9])
def test_where_all_was_acquired_a_spectrum_that_ends_before_is_filtered_not_filled(anatomy, zero_filled, stated):
    band = detect_acquired_band(scan_that_states(zero_filled(anatomy, (1, 0.66), 0.01), i=stated, j=1), 2)
    assert band.dimensions == (160, 176, 4) and not band.zero_filled
    assert band.sentence() == (
        "Stored at 0.45 mm, acquired as stored along j (not zero-filled); along i filtered, not filled: all was"
        " acquired (so says the DICOM header), and the spectrum ends at 0.66; left as stored."
    )


@pytest.mark.parametrize("stated", [0.1, 0.24])
def test_a_stated_share_below_a_quarter_is_not_believed(anatomy, zero_filled, stated):
    band = detect_acquired_band(scan_that_states(zero_filled(anatomy, (0.5, 0.5), 0.01), i=stated, j=stated), 2)
    assert (band.shares, band.acquired_from) == ((0.5, 0.5, 1), "the spectrum")


def test_slices_that_were_not_all_acquired_are_said_and_kept(anatomy, scanned):
    band = detect_acquired_band(scan_that_states(scanned(anatomy, 0.01), i=1, j=1, k=0.5), 2)
    assert band.dimensions == (160, 176, 4)
    assert "along k 0.50 of the slices were acquired (so says the DICOM header), and all are kept" in band.sentence()


def test_another_slice_axis_finds_the_shares_of_its_own_plane(anatomy, scanned):
    volume = scan_that_states(scanned(anatomy, 0.01), i=1, j=0.5, k=0.75)
    assert survey(volume, named_axis=0).band.dimensions == (160, 88, 3)


# ---------------------------------------------------------------- what the user says comes before that


def test_the_users_numbers_are_taken_as_they_are(anatomy, zero_filled):
    volume = scan_that_states(zero_filled(anatomy, (0.5, 0.5), 0.01), i=0.5, j=0.5)
    for samples in ((150, 170), (40, 44), (160, 176)):
        band = survey(volume, acquired=samples).band
        assert (band.dimensions, band.acquired_from) == ((*samples, 4), "the request")
    turned = Volume(np.moveaxis(volume.voxels, 0, 2), np.diag([3.0, 0.45, 0.45, 1.0]))
    assert survey(turned, acquired=(80, 44)).band.dimensions == (4, 80, 44)


@pytest.mark.parametrize("samples", [(161, 88), (80, 177), (39, 88), (80, 43), (0, 0), (-80, 88), (80,), (80.5, 88)])
def test_numbers_that_cannot_be_are_refused_with_those_that_can(anatomy, samples):
    sentence = (
        r"^An acquired matrix of [-\dx.]+ cannot be that of slices of 160x176 voxels;"
        r" give 40 to 160 along i and 44 to 176 along j\.$"
    )
    with pytest.raises(InputError, match=sentence):
        survey(Volume(anatomy, np.diag([*SPACING, 1.0])), acquired=samples)


def test_a_mask_has_no_matrix_whatever_the_user_says(anatomy):
    mask = Volume((anatomy > 300).astype(np.int16), np.diag([*SPACING, 1.0]))
    assert survey(mask, acquired=(9999, 9999)).band.dimensions == (160, 176, 4)


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


def test_not_filled_unsure_and_too_few_samples_are_three_sentences(anatomy, scanned, zero_filled):
    sentences = [
        detect_acquired_band(Volume(voxels, np.diag([*SPACING, 1.0])), 2).sentence()
        for voxels in (scanned(anatomy, 0.01), zero_filled(anatomy, (1, 0.22), 0.01), scanned(anatomy, 0.01)[:, :40])
    ]
    assert sentences == [
        "Stored at 0.45 mm, acquired as stored (not zero-filled).",
        f"Stored at 0.45 mm, acquired as stored along j (not zero-filled); along i {UNSURE}; left as stored.",
        f"Stored at 0.45 mm, acquired as stored along i (not zero-filled); along j {TOO_FEW}; left as stored.",
    ]
    few = detect_acquired_band(Volume(scanned(anatomy, 0.01)[:, :40, :44], np.diag([*SPACING, 1.0])), 2)
    assert few.sentence() == f"Stored at 0.45 mm; along i and j {TOO_FEW}; left as stored."
    assert few.acquired_from == "nobody"


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
