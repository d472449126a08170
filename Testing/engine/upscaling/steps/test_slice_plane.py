"""The step that refines the slice plane with a network that sees the slices on either side."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.bundles import find_model
from SuperResolutionLib.models.networks import CompactNet
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

WHOLE = (0, 0, 0), (48, 48, 7)


@pytest.fixture(scope="module")
def seeing():
    """A model whose network sees two slices on either side; each of its weights matters."""
    torch.manual_seed(0)
    network = CompactNet(2, 8, 1, neighbours=2).eval().requires_grad_(False)
    return replace(find_model("mri-x2-compact"), loaded=network)


@pytest.fixture(scope="module")
def scan():
    """Slices that differ, 2 mm apart in pixels of 1 mm, and far from zero so that nothing is cut off."""
    voxels = np.random.default_rng(0).normal(1000, 100, (7, 48, 48)).astype(np.float32)
    return Volume(voxels, np.diag([1.0, 1, 2, 1]))


def refined(scan, model, box=WHOLE, **options):
    request = UpscaleRequest(factor=2, model=model, box=box, device="cpu", as_stored=True, grain=0.0, **options)
    return upscale(scan, request).volume


def test_a_box_of_some_slices_is_the_same_part_of_the_whole(scan, seeing):
    whole = refined(scan, seeing)
    for low, high in ((0, 1), (3, 4), (2, 6), (6, 7)):
        part = refined(scan, seeing, ((0, 0, low), (48, 48, high)))
        np.testing.assert_allclose(part.voxels, whole.voxels[low:high], atol=0.02)


def changed_by_turning_the_fourth(scan, seeing):
    """Which slices of the result change when a slice is turned round, which leaves range and noise as they are."""
    voxels = scan.voxels.copy()
    voxels[3] = voxels[3, ::-1, ::-1]
    turned = replace(scan, voxels=voxels)
    before, after = (refined(volume, seeing, consistency=False).voxels for volume in (scan, turned))
    return (np.abs(after - before).max(axis=(1, 2)) > 1).tolist()


def test_a_slice_changes_those_that_see_it_and_no_others(scan, seeing):
    assert changed_by_turning_the_fourth(scan, seeing) == [False, True, True, True, True, True, False]


def test_far_slices_are_not_looked_at(scan, seeing):
    far = replace(scan, ijk_to_ras=np.diag([1.0, 1, 9, 1]))
    assert changed_by_turning_the_fourth(far, seeing) == [False, False, False, True, False, False, False]


@pytest.mark.parametrize("axis", [0, 1])
def test_slices_across_another_axis_see_those_beside_them_too(scan, seeing, axis):
    turned = Volume(np.moveaxis(scan.voxels, 0, 2 - axis), np.diag([*np.roll([2.0, 1, 1], axis), 1.0]))
    whole = tuple(reversed(turned.voxels.shape))
    factors = tuple(1 if n == axis else 2 for n in range(3))
    request = UpscaleRequest(
        factor=factors, model=seeing, box=((0, 0, 0), whole), device="cpu", as_stored=True, grain=0.0
    )
    result = np.moveaxis(upscale(turned, request).volume.voxels, 2 - axis, 0)
    np.testing.assert_allclose(result, refined(scan, seeing).voxels, atol=0.02)
