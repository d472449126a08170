"""The acquisition operators obey the half-voxel rule."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.acquisition.operators import (
    OPERATORS,
    antialiased_bicubic,
    area_average,
    kspace_crop,
    kspace_crop_to,
)

HEIGHT, WIDTH = 96, 64


def blob(y, x, sigma):
    rows, columns = torch.arange(HEIGHT).double(), torch.arange(WIDTH).double()
    square = (rows[:, None] - y) ** 2 + (columns[None] - x) ** 2
    return torch.exp(-square / (2 * sigma**2))[None, None]


def centroid_in_fine_voxels(coarse):
    """Return the centre of mass (y, x) with the half-voxel rule: coarse voxel n covers n * f to n * f + f - 1."""
    total, result = coarse.sum(), []
    for axis, size in ((-2, HEIGHT), (-1, WIDTH)):
        index = torch.arange(coarse.shape[axis]).double()
        mean = (coarse.sum(dim=-3 - axis)[0, 0] * index).sum() / total
        result.append(float((mean + 0.5) * size / coarse.shape[axis] - 0.5))
    return result


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("factor", [2, 4])
@given(y=st.floats(36, 60), x=st.floats(28, 36))
def test_a_blob_keeps_its_centroid_through_every_operator(name, factor, y, x):
    coarse = OPERATORS[name](blob(y, x, 1.2 * factor), factor)
    assert coarse.shape == (1, 1, HEIGHT // factor, WIDTH // factor)
    np.testing.assert_allclose(centroid_in_fine_voxels(coarse), (y, x), atol=0.02)


@pytest.mark.parametrize("size", [(48, 32), (24, 16), (60, 41), (33, 64), (96, 64)])
@given(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1))
def test_a_point_source_becomes_the_sinc_about_its_own_place_in_a_kspace_crop(size, y, x):
    image = torch.zeros(1, 1, HEIGHT, WIDTH, dtype=torch.float64)
    image[..., y, x] = 1
    profiles = []
    for place, old, kept in zip((y, x), (HEIGHT, WIDTH), size):
        distance = (np.arange(kept) + 0.5) * old / kept - 0.5 - place
        distance = np.where(np.abs(distance) < 1e-9, 1e-9, distance)
        profiles.append(np.abs(np.sin(np.pi * kept * distance / old) / np.sin(np.pi * distance / old)) / old)
    np.testing.assert_allclose(kspace_crop_to(image, size)[0, 0], np.outer(*profiles), atol=1e-6)


@given(st.integers(0, 11), st.integers(-7, 7), st.floats(0, 6))
def test_a_wave_below_the_coarse_nyquist_frequency_is_sampled_exactly_by_a_kspace_crop(v, u, phase):
    def wave(rows, columns):
        return 2 + torch.cos(2 * math.pi * (v * rows[:, None] / HEIGHT + u * columns[None] / WIDTH) + phase)

    fine = wave(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double())
    coarse = wave(torch.arange(24).double() * 4 + 1.5, torch.arange(16).double() * 4 + 1.5)
    np.testing.assert_allclose(kspace_crop(fine[None, None], 4)[0, 0], coarse, atol=1e-9)


def test_an_area_average_is_the_mean_of_the_voxels_under_it():
    image = torch.rand(2, 1, 8, 12)
    expected = image.reshape(2, 1, 2, 4, 3, 4).mean(dim=(3, 5))
    torch.testing.assert_close(area_average(image, 4), expected)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("factor", [2, 4])
def test_a_constant_image_stays_as_bright_to_its_edges(name, factor):
    image = torch.full((2, 1, 32, 48), 0.7)
    torch.testing.assert_close(OPERATORS[name](image, factor), torch.full((2, 1, 32 // factor, 48 // factor), 0.7))


def test_the_cubic_kernel_is_antialiased():
    wave = torch.cos(2 * math.pi * 0.4 * torch.arange(96)).expand(1, 1, 96, 96)  # the coarse Nyquist is 0.125
    assert antialiased_bicubic(wave, 4)[..., 4:-4, 4:-4].abs().max() < 0.1
