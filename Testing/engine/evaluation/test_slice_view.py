"""Which way up slices are shown, and in which proportions."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.evaluation.slice_view import SliceView
from SuperResolutionLib.geometry.volume import Volume

RIGHT, ANTERIOR, SUPERIOR = range(3)
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((-1, 1), repeat=3)))


def position_volumes(permutation, signs, tilt):
    """Three volumes on one turned grid, whose voxels hold their own R, A and S in mm."""
    matrix = np.diag([0.0, 0, 0, 1])
    for axis, (direction, sign, spacing) in enumerate(zip(permutation, signs, (0.5, 0.8, 2.0))):
        matrix[direction, axis] = sign * spacing
    cosine, sine = np.cos(tilt), np.sin(tilt)
    about_r, about_s = np.array(
        [
            [[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]],
            [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]],
        ]
    )
    matrix[:3, :3] = about_r @ about_s @ matrix[:3, :3]
    k, j, i = np.indices((4, 5, 6))
    positions = np.einsum("rc,ckji->rkji", matrix[:3, :3], np.stack([i, j, k]))
    return [Volume(position, matrix) for position in positions]


@given(st.sampled_from(ORIENTATIONS), st.integers(0, 2), st.floats(-0.4, 0.4))
def test_slices_are_shown_as_a_radiologist_expects_however_they_are_stored(orientation, across, tilt):
    permutation, signs = orientation
    volumes = position_volumes(permutation, signs, tilt)
    view = SliceView(volumes[0], across)
    images = [view.image(volume, 1) for volume in volumes]
    across_picture = [np.diff(image, axis=1).mean() for image in images]
    down_picture = [np.diff(image, axis=0).mean() for image in images]
    normal = permutation[across]
    if normal == RIGHT:
        assert across_picture[ANTERIOR] < 0
        assert view.left == "A"
    else:
        assert across_picture[RIGHT] < 0
        assert view.left == "R"
    upward = ANTERIOR if normal == SUPERIOR else SUPERIOR
    assert down_picture[upward] < 0
    assert view.top == "RAS"[upward]
    width, height = view.size(volumes[0])
    assert images[0].shape == (round(height / view.pixel(volumes[0])[1]), round(width / view.pixel(volumes[0])[0]))
