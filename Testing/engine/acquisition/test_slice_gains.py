"""Slices that differ in brightness by turns: found to half a per cent, and nothing taken for them that is anatomy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.slice_gains import find_slice_bands
from SuperResolutionLib.acquisition.survey import survey
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import Volume

SLICES = 24


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    """Blobs that differ from slice to slice, in a head in air, ``(24, 64, 72)`` float64 from 0 to about 1000."""
    random = np.random.default_rng(3)
    y, x = np.linspace(-1, 1, 64)[:, None], np.linspace(-1, 1, 72)
    size = 0.9 - 0.3 * np.linspace(-1, 1, SLICES)[:, None, None] ** 2
    texture = gaussian_filter(random.normal(size=(SLICES, 64, 72)), (2, 3, 3))
    return 500 * (1 + 0.2 * texture / texture.std()).clip(0.3) * (x**2 + y**2 < size**2)


def stack(voxels, gains=1.0, noise=0.03):
    """Return a volume of 1 x 1 x 4 mm of ``voxels``, made brighter by ``gains`` and noisy as an image of magnitudes."""
    magnitude = torch.from_numpy(np.asarray(voxels * gains, np.float32))
    noisy = add_rician_noise(magnitude, noise * 1000, torch.Generator().manual_seed(4))
    return Volume(noisy.round().numpy().astype(np.uint16), np.diag([1.0, 1.0, 4.0, 1.0]), "MR")


def every(period, share, slices=SLICES):
    """Return gains ``(slices, 1, 1)``: every ``period``-th slice is brighter by ``share``."""
    gains = np.ones((slices, 1, 1))
    gains[1::period] += share
    return gains


def found_gains(volume):
    """Return the gains ``(K, H, W)`` of the volume's bands, their mean over the slices 1."""
    gains = survey(volume).slice_bands.gains(Grid.of(volume))
    inverse = gains.levelled(np.ones(volume.voxels.shape, np.float32))
    return inverse.mean(axis=0) / inverse


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.08])
@pytest.mark.parametrize("period, share", [(2, 0.05), (2, 0.15), (3, 0.05), (3, 0.15), (4, 0.1)])
def test_the_gains_of_noisy_slices_are_found_to_half_a_per_cent(tissue, period, share, noise):
    volume = stack(tissue, every(period, share), noise)
    bands = survey(volume).slice_bands
    assert bands.period == period and bands.swing == pytest.approx(share, abs=0.005)
    found = found_gains(volume)
    expected = every(period, share) / np.mean(1 / every(period, share)) ** -1
    ratio = found / expected
    assert np.abs(ratio / ratio.mean() - 1).max() < 0.005


def test_gains_that_change_across_the_slice_are_followed(tissue):
    x = np.linspace(-1, 1, 72)
    gains = 1 + (every(2, 0.12) - 1) * (1 - 0.6 * x**2 + 0.3 * x)
    volume = stack(tissue, gains)
    ratio = found_gains(volume) / (gains * (1 / gains).mean(axis=0))
    with_signal = ratio[:, tissue.min(axis=0) > 0]
    assert np.sqrt(np.mean((with_signal - 1) ** 2)) < 0.006
    assert np.sqrt(np.mean((gains - gains.mean(axis=0)) ** 2)) > 0.04


@pytest.mark.parametrize(
    "gains",
    [
        1.0,
        np.linspace(1, 3, SLICES)[:, None, None],
        1 + np.exp(-np.arange(SLICES) / 2)[:, None, None],
        np.where(np.arange(SLICES) == 11, 1.2, 1)[:, None, None],
        np.where(np.arange(SLICES) < 12, 1.0, 1.6)[:, None, None],
        1 + 0.1 * np.sin(2 * np.pi * np.arange(SLICES) / 9)[:, None, None],
        1 + 0.03 * np.random.default_rng(1).normal(size=(SLICES, 1, 1)),
    ],
    ids=["even", "coil fall-off", "inflow", "one bright slice", "another tissue", "slow waves", "each another"],
)
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_what_does_not_take_turns_is_not_levelled(tissue, gains, noise):
    assert survey(stack(tissue, gains, noise)).slice_bands is None


@pytest.mark.parametrize("seed", range(8))
def test_anatomy_alone_has_no_bands(seed):
    random = np.random.default_rng(seed)
    texture = gaussian_filter(random.normal(size=(random.integers(10, 40), 48, 48)), (0.5, 3, 3))
    voxels = 500 * np.exp(0.4 * texture / texture.std())
    assert find_slice_bands(voxels, Grid(np.eye(4), voxels.shape[::-1]), 2) is None


def test_bright_vessels_in_every_second_slice_are_no_bands(tissue):
    voxels = tissue.copy()
    voxels[1::2, 20:32, 24:40] *= 3
    assert survey(stack(voxels)).slice_bands is None


def test_hounsfield_units_signed_values_labels_and_short_stacks_are_left_alone(tissue):
    banded = stack(tissue, every(2, 0.15))
    assert survey(banded).slice_bands is not None
    assert survey(replace(banded, modality="CT")).slice_bands is None
    assert survey(replace(banded, voxels=banded.voxels.astype(np.int16) - 100)).slice_bands is None
    assert survey(replace(banded, voxels=np.uint16(banded.voxels > 300) * every(2, 1))).slice_bands is None
    assert survey(replace(banded, voxels=banded.voxels[:7])).slice_bands is None
    assert survey(replace(banded, voxels=banded.voxels[:, :3, :3])).slice_bands is None
    assert survey(replace(banded, voxels=np.where(banded.voxels > 0, np.nan, 1.0))).slice_bands is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_bands_are_found_across_any_axis(tissue, axis):
    banded = stack(tissue, every(2, 0.08))
    order = [2 - axis if place == 0 else 0 if place == 2 - axis else place for place in range(3)]
    turned = replace(
        banded,
        voxels=np.ascontiguousarray(banded.voxels.transpose(order)),
        ijk_to_ras=np.diag([*(4.0 if a == axis else 1.0 for a in range(3)), 1.0]),
    )
    assert survey(turned).slice_bands.swing == pytest.approx(0.08, abs=0.005)


def test_what_is_levelled_and_put_back_is_what_it_was(tissue):
    volume = stack(tissue, every(3, 0.1))
    slices = volume.voxels.astype(np.float32)
    gains = survey(volume).slice_bands.gains(Grid.of(volume))
    again = gains.levelled(slices)
    gains.put_back(again, np.arange(SLICES))
    np.testing.assert_allclose(again, slices, rtol=1e-6)


def test_between_slices_the_gain_lies_between_theirs_and_beyond_the_last_it_stays(tissue):
    volume = stack(tissue, every(2, 0.1))
    gains = survey(volume).slice_bands.gains(Grid.of(volume))
    places = np.array([-0.4, 0, 0.25, 1, 22.75, 23, 23.4])
    rows = np.ones((len(places), 64, 72))
    gains.put_back(rows, places)
    dark, bright = rows[1, 0, 0], rows[3, 0, 0]
    assert bright / dark == pytest.approx(1.1, abs=0.005)
    quarter, three_quarters = (dark + (bright - dark) * (1 - np.cos(np.pi * share)) / 2 for share in (0.25, 0.75))
    expected = [dark, dark, quarter, bright, three_quarters, bright, bright]
    np.testing.assert_allclose(rows[:, 0, 0], expected, rtol=1e-6)


def test_a_part_of_the_scan_has_the_gains_that_it_has_within_the_whole(tissue):
    x = np.linspace(-1, 1, 72)
    volume = stack(tissue, 1 + (every(3, 0.12) - 1) * (1 - 0.6 * x**2 + 0.3 * x))
    bands = survey(volume).slice_bands
    whole = np.ones((SLICES, 64, 72))
    bands.gains(Grid.of(volume)).put_back(whole, np.arange(SLICES))
    part = Grid.of(volume).cropped(((10, 20, 4), (50, 44, 9)))
    rows = np.ones((5, 24, 40))
    bands.gains(part).put_back(rows, np.arange(5))
    np.testing.assert_allclose(rows, whole[4:9, 20:44, 10:50], rtol=1e-6)
    fine = np.ones((5, 48, 80))
    bands.gains(part.refined((2, 2, 1))).put_back(fine, np.arange(5))
    np.testing.assert_allclose(fine.reshape(5, 24, 2, 40, 2).mean(axis=(2, 4)), rows, atol=1e-4)
