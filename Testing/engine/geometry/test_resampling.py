"""Resampling to an exact spacing keeps the place, the brightness and the mean, and does not alias."""

import subprocess
import sys

import numpy as np
import pytest

from SuperResolutionLib.geometry.resampling import resample_to_spacing
from SuperResolutionLib.geometry.volume import Volume


def blob(matrix, dimensions, centre, sigma):
    k, j, i = np.indices(dimensions[::-1], dtype=float)
    places = matrix[:3, :3] @ np.stack([i, j, k]).reshape(3, -1) + matrix[:3, 3:]
    square = ((places - (matrix @ [*centre, 1])[:3, None]) ** 2).sum(axis=0)
    return Volume(np.exp(-square / (2 * sigma**2)).reshape(dimensions[::-1]), matrix)


def centroid(volume):
    k, j, i = np.indices(volume.voxels.shape)
    index = [float((volume.voxels * axis).sum() / volume.voxels.sum()) for axis in (i, j, k)]
    return (volume.ijk_to_ras @ [*index, 1])[:3]


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 3.0), (0.7, 0.6, 3.2), (2.0, 1.9, 4.5)])
def test_the_spacing_is_exact_and_the_centre_stays(oblique_phantom, spacing):
    result = resample_to_spacing(oblique_phantom, spacing)
    np.testing.assert_allclose(result.spacing, spacing, rtol=1e-9)
    assert result.voxels.dtype == np.float32
    assert result.modality == "MR"
    centres = [
        volume.ijk_to_ras @ [*((np.array(volume.dimensions) - 1) / 2), 1] for volume in (oblique_phantom, result)
    ]
    np.testing.assert_allclose(*centres, atol=1e-9)
    extent = np.multiply(result.dimensions, spacing) - np.multiply(oblique_phantom.dimensions, oblique_phantom.spacing)
    assert (np.abs(extent) <= np.multiply(spacing, 0.501)).all()


@pytest.mark.parametrize("spacing", [(0.7, 0.8, 0.9), (1.7, 1.6, 1.3)], ids=["finer", "coarser"])
@pytest.mark.parametrize("centre", [(14.3, 15.1, 13.2), (17.8, 12.4, 16.9)])
def test_a_blob_keeps_its_place(oblique_phantom, spacing, centre):
    matrix = oblique_phantom.ijk_to_ras.copy()
    matrix[:3, :3] /= oblique_phantom.spacing
    volume = blob(matrix, (30, 31, 32), centre, 2.0)
    np.testing.assert_allclose(centroid(resample_to_spacing(volume, spacing)), centroid(volume), atol=0.02)


def test_a_ramp_stays_the_same_ramp_inside():
    k, j, i = np.indices((12, 20, 24), dtype=np.float32)
    volume = Volume(10 + 2 * i - 3 * j + 5 * k, np.diag([1.0, 1.0, 2.0, 1.0]))
    result = resample_to_spacing(volume, (0.8, 0.6, 2.0))
    k, j, i = np.indices(result.voxels.shape, dtype=float)
    x, y, z = (result.ijk_to_ras @ np.stack([i, j, k, np.ones_like(i)]).reshape(4, -1))[:3].reshape(3, *i.shape)
    expected = 10 + 2 * x - 3 * y + 2.5 * z
    inside = (slice(4, -4), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(result.voxels[inside], expected[inside], atol=0.05)


@pytest.mark.parametrize("shape", [(1, 20, 24), (2, 20, 24), (3, 3, 2), (12, 20, 24)], ids=str)
@pytest.mark.parametrize("spacing", [(0.6, 0.6, 2.0), (1.5, 1.5, 2.0)], ids=["finer", "coarser"])
def test_a_constant_volume_stays_constant_to_its_edges_even_where_it_is_thin(shape, spacing):
    volume = Volume(np.full(shape, 7, np.int16), np.diag([1.0, 1.0, 2.0, 1.0]))
    np.testing.assert_allclose(resample_to_spacing(volume, spacing).voxels, 7, atol=2e-3)


def test_two_large_slices_are_resampled_within_their_memory(repository):
    # ITK's B-spline mirrors once only: on 2 voxels it reads before the image, which is NaN or the end of the process.
    code = """
import numpy as np
from SuperResolutionLib.geometry.resampling import resample_to_spacing
from SuperResolutionLib.geometry.volume import Volume
volume = Volume(np.full((2, 1024, 1024), 7, np.int16), np.eye(4))
for _ in range(2):
    np.testing.assert_allclose(resample_to_spacing(volume, (8.0, 8.0, 1.0)).voxels, 7, atol=2e-3)
"""
    end = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repository, timeout=60)
    assert end.returncode == 0, end.stderr


def test_what_a_coarser_grid_cannot_hold_is_blurred_away_first():
    j, i = np.indices((60, 60))
    stripes = 100 * ((i + j) % 2) * np.ones((6, 1, 1))
    result = resample_to_spacing(Volume(stripes, np.eye(4)), (2.5, 2.5, 1.0))
    np.testing.assert_allclose(result.voxels[:, 4:-4, 4:-4], 50, atol=5)


def test_an_axis_that_keeps_its_spacing_is_not_touched(phantom):
    result = resample_to_spacing(phantom, phantom.spacing)
    np.testing.assert_allclose(result.voxels, phantom.voxels, atol=0.05)
    np.testing.assert_allclose(result.ijk_to_ras, phantom.ijk_to_ras, atol=1e-9)
