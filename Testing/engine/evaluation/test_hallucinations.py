"""The test for hallucinations sees what is not there, patch by patch, and leaves in peace what is merely scaled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SuperResolutionLib.evaluation.hallucinations import MEASURED, SIDE, patch_cutoffs

FACTOR = 4
MASK = np.ones((2, 128, 160), bool)


def textured(seed=0, shape=MASK.shape):
    """Return slices whose energy falls with the frequency, as an image's does, around 500."""
    distance = np.hypot(np.fft.fftfreq(shape[1])[:, None], np.fft.fftfreq(shape[2]))
    spectrum = np.fft.fft2(np.random.default_rng(seed).normal(size=shape)) / (distance + 0.02)
    return 500 + 20 * np.fft.ifft2(spectrum).real


def within(images, lowest, highest):
    """Return what ``images`` has between two frequencies in multiples of the coarse voxels' Nyquist frequency."""
    distance = np.hypot(np.fft.fftfreq(images.shape[1])[:, None], np.fft.fftfreq(images.shape[2]))
    kept = (distance * 2 * FACTOR >= lowest) & (distance * 2 * FACTOR < highest)
    return np.fft.ifft2(np.fft.fft2(images) * kept).real


def share(cutoffs, limit=MEASURED):
    return (cutoffs < limit).mean()


@settings(max_examples=10)
@given(st.floats(0.1, 10), st.floats(-500, 500))
def test_what_is_true_is_no_hallucination_whatever_its_gain_and_offset(gain, offset):
    cutoffs = patch_cutoffs(gain * textured() + offset, textured(), MASK, FACTOR)
    assert len(cutoffs) == 2 * 3 * 4
    assert share(cutoffs, 0.95 * FACTOR) == 0


def test_another_structure_is_a_hallucination_everywhere():
    assert share(patch_cutoffs(textured(1), textured(), MASK, FACTOR)) == 1


def test_an_invented_patch_is_found_where_it_is_and_nowhere_else():
    truth, result = textured(), textured()
    result[1, :SIDE, :SIDE] = textured(2)[1, :SIDE, :SIDE]
    found = patch_cutoffs(result, truth, MASK, FACTOR) < MEASURED
    assert found[12]
    assert not found[:12].any() and not found[[14, 15, 20, 21, 22, 23]].any()


@pytest.mark.parametrize("kept", [0.8, 1.5, 2.5])
def test_a_result_that_is_wrong_from_a_frequency_on_is_right_up_to_there(kept):
    invented = within(textured(), 0, kept) + within(textured(3), kept, 9)
    assert np.median(patch_cutoffs(invented, textured(), MASK, FACTOR)) == pytest.approx(kept, abs=0.25)


def test_the_more_noise_the_more_patches_are_wrong():
    noise = np.random.default_rng(4).normal(size=MASK.shape)
    truth = textured()
    shares = [share(patch_cutoffs(truth + sigma * noise, truth, MASK, FACTOR)) for sigma in (0, 200, 1000, 5000)]
    assert shares == sorted(shares)
    assert shares[0] == 0 and shares[2] > 0 and shares[3] == 1


def test_smoothing_alone_is_no_hallucination_within_what_it_leaves():
    assert share(patch_cutoffs(within(textured(), 0, 1.6), textured(), MASK, FACTOR)) == 0


def test_patches_outside_the_patient_are_not_looked_at():
    mask = np.zeros_like(MASK)
    mask[0, :SIDE, :SIDE] = True
    result = textured()
    result[1] = textured(5)[1]
    cutoffs = patch_cutoffs(result, textured(), mask, FACTOR)
    assert len(cutoffs) == 3  # the patch, and its neighbours to the right and below, half of which it is
    assert share(cutoffs) == 0


def test_slices_smaller_than_a_patch_have_none():
    small = np.zeros((1, SIDE, SIDE - 1))
    assert len(patch_cutoffs(small, small, small == 0, FACTOR)) == 0
