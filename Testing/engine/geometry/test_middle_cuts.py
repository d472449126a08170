"""What a notebook shows of a volume."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from SuperResolutionLib.geometry.middle_cuts import HEIGHT, middle_cuts
from SuperResolutionLib.geometry.volume import Volume


def marked(matrix):
    """A volume of 60 mm a side that is bright at its right, anterior and superior corner alone, on any grid."""
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    dimensions = np.rint(60 / steps).astype(int)
    index = np.stack(np.meshgrid(*map(np.arange, dimensions), indexing="ij"), -1)
    places = index @ matrix[:3, :3].T
    middle = places.reshape(-1, 3).mean(axis=0)
    return Volume(
        (places > middle - 0.6 * np.abs(matrix[:3, :3]).max(axis=1)).all(axis=-1).T.astype(np.int16) * 100, matrix
    )


@pytest.mark.parametrize(
    "columns",
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 3]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, 3]],
        [[0, 0, 2], [-1, 0, 0], [0, -1, 0]],
        [[-1, 0, 0], [0, 0, 2], [0, -1, 0]],
    ],
    ids=["RAS", "LPS", "sagittal", "coronal"],
)
def test_the_cuts_stand_upright_however_the_axes_lie(columns):
    matrix = np.eye(4)
    matrix[:3, :3] = columns
    picture = middle_cuts(*(lambda volume: (volume.voxels, volume.ijk_to_ras))(marked(matrix)))
    cuts = np.split(picture, [HEIGHT + 3, 2 * HEIGHT + 9], axis=1)
    for cut in cuts:
        quarter = HEIGHT // 2 - 20
        assert cut[:quarter, :quarter].mean() > 0.95  # right and anterior, right and superior, anterior and superior
        assert cut[-quarter:, -quarter:].mean() < 0.1


def test_a_notebook_gets_a_png():
    volume = Volume.of(np.arange(4000).reshape(10, 20, 20), spacing=(1, 1, 2))
    assert imread(io.BytesIO(volume._repr_png_())).shape[:2] == middle_cuts(volume.voxels, volume.ijk_to_ras).shape


def test_a_constant_volume_and_a_single_voxel_are_shown_too():
    for voxels in (np.full((3, 4, 5), 7), np.zeros((1, 1, 1))):
        assert np.isfinite(middle_cuts(voxels, np.eye(4))).all()
