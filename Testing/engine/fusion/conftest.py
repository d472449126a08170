"""A patient with detail in all directions, and stacks of thick slices of it, moved or not."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from SuperResolutionLib.acquisition.slice_profile import profile_weights
from SuperResolutionLib.files.writing import image_from_volume
from SuperResolutionLib.geometry.volume import Volume

SIZE, THICK, WITHIN = 48, 4, 8
ORDERS = {"transverse": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}


def _patient(seed=0):
    """Return a ball of smooth random tissue, 1 mm, its first voxel at the origin."""
    random = np.random.default_rng(seed)
    noise = sitk.GetImageFromArray(random.normal(size=(SIZE,) * 3).astype(np.float32))
    tissue = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 1.3))
    k, j, i = np.indices((SIZE,) * 3) - (SIZE - 1) / 2
    ball = 1 / (1 + np.exp(1.5 * (np.sqrt((k / 1.0) ** 2 + (j / 0.9) ** 2 + (i / 0.8) ** 2) - 19)))
    voxels = 600 * ball * np.clip(1 + 0.35 * tissue / tissue.std(), 0.1, None)
    return Volume(voxels.astype(np.float32), np.eye(4), "MR")


def _stack(truth, plane="transverse", movement=None, gain=1.0, noise=0.0, seed=0):
    """Return thick slices of what lies, in ``truth``, where ``movement`` takes the places in the stack's header to."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for axis, (world, step) in enumerate(zip(ORDERS[plane], (1, 1, THICK))):
        matrix[world, axis] = step
        matrix[world, 3] = step / 2 - 0.5
    fine = matrix.copy()
    fine[:3, 2] /= WITHIN
    fine[:3, 3] -= fine[:3, 2] * (WITHIN - 1) / 2
    place = fine if movement is None else movement @ fine
    count = SIZE // THICK * WITHIN
    where = image_from_volume(Volume(np.zeros((1, 1, 1), np.uint8), place))
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(where)
    resampler.SetSize([SIZE, SIZE, count])
    resampler.SetInterpolator(sitk.sitkBSpline)
    resampler.UseNearestNeighborExtrapolatorOn()
    thin = sitk.GetArrayFromImage(resampler.Execute(image_from_volume(truth)))
    centres = (torch.arange(SIZE // THICK, dtype=torch.float64) + 0.5) * WITHIN - 0.5
    weights = profile_weights(centres, count, float(WITHIN), "gaussian").numpy()
    slices = np.tensordot(weights, thin, 1) * gain
    slices = slices + np.random.default_rng(seed).normal(0, noise or 1e-9, slices.shape)
    return Volume(np.clip(np.rint(slices), 0, None).astype(np.int16), matrix, "MR", float(THICK), 2)


def _movement(turn_degrees=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 0.0)):
    """Return the 4x4 movement about the patient's middle, RAS mm: turned about R, A and S in turn, then shifted."""
    transform = sitk.Euler3DTransform()
    transform.SetCenter([(SIZE - 1) / 2] * 3)
    transform.SetRotation(*np.radians(turn_degrees))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.full(3, (SIZE - 1) / 2)
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre + shift
    return matrix


@pytest.fixture(scope="session")
def patient():
    return _patient


@pytest.fixture(scope="session")
def stack():
    return _stack


@pytest.fixture(scope="session")
def movement():
    return _movement


@pytest.fixture(scope="session")
def truth():
    return _patient()


@pytest.fixture(scope="session")
def three_stacks(truth):
    """Three planes, free of noise, all in place."""
    return [_stack(truth, plane) for plane in ORDERS]
