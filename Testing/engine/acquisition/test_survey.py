"""What a scan is, and who says so; and whether it is a scan at all."""

from dataclasses import replace

import numpy as np
import pytest

from SuperResolutionLib.acquisition.label_map import is_label_map
from SuperResolutionLib.acquisition.survey import slice_axis, survey
from SuperResolutionLib.geometry.volume import Volume, refined_matrix


@pytest.fixture
def head(make_phantom):
    return make_phantom((6, 60, 64), noise=8).voxels


@pytest.mark.parametrize(
    "make",
    [
        lambda voxels: voxels > 400,
        lambda voxels: (voxels > 400) * 17,
        lambda voxels: (voxels > 400).astype(np.float32),
        lambda voxels: np.digitize(voxels, (200, 500, 700)),
        lambda voxels: np.digitize(voxels, (200, 500, 700)) * 10 + 1000 * (voxels > 200),
        lambda voxels: np.where(np.arange(6)[:, None, None] == 4, voxels > 400, 0),
        lambda voxels: (voxels > 200) * (1 + np.add.outer(np.arange(60) // 6 * 8, np.arange(64) // 8)),
    ],
    ids=["mask", "mask of one label", "mask of floats", "four labels", "numbered labels", "one slice", "many parcels"],
)
def test_masks_and_label_maps_are_told_from_scans(head, make):
    labels = np.asarray(make(head))
    labels = labels if labels.dtype.kind == "f" else labels.astype(np.int16)
    assert is_label_map(labels)
    assert survey(Volume(labels, np.eye(4))).label_map


@pytest.mark.parametrize(
    "make",
    [
        lambda voxels: voxels,
        lambda voxels: voxels.astype(np.float32) / 7,
        lambda voxels: (voxels.clip(0) // 4).clip(0, 255).astype(np.uint8),
        lambda voxels: np.where(voxels > 200, voxels, 0),
        lambda voxels: np.where(voxels > 200, voxels, -1000).clip(-1000, 600),
        lambda voxels: np.repeat(np.repeat(voxels, 2, 1), 2, 2),
        lambda voxels: np.where(voxels > 400, 1000, -1000),
        lambda voxels: np.full(voxels.shape, 0.5),
        lambda voxels: np.full(voxels.shape, np.nan),
    ],
    ids=["scan", "floats", "8 bits", "skull-stripped", "clipped", "doubled pixels", "edges in HU", "constant", "NaN"],
)
def test_scans_are_not_told_to_be_label_maps(head, make):
    assert is_label_map(make(head)) is False


@pytest.mark.parametrize("high", [255, 1000, 65535])
def test_black_and_white_may_be_a_mask_or_not(head, high):
    assert is_label_map(((head > 400) * high).astype(np.uint16)) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_single_whole_number_may_be_an_empty_mask(dtype):
    assert is_label_map(np.zeros((3, 8, 8), dtype)) is None
    empty = survey(Volume(np.zeros((3, 8, 8), dtype), np.eye(4)))
    assert empty.constant and "carry an empty mask by --labels nearest" in empty.flaw
    assert not survey(Volume(np.full((3, 8, 8), np.inf, np.float32), np.eye(4))).constant


def test_real_scans_that_wheels_ship_are_no_label_maps():
    from pathlib import Path

    import nibabel
    from pydicom.data import get_testdata_file

    from SuperResolutionLib.files.example import example_volume
    from SuperResolutionLib.files.reading import read_volume

    anatomical = Path(nibabel.__file__).parent / "tests" / "data" / "anatomical.nii"
    for path in (anatomical, get_testdata_file("CT_small.dcm"), get_testdata_file("MR_small.dcm")):
        assert not survey(read_volume(path)).label_map
    assert not survey(example_volume()).label_map


def test_a_volume_whose_file_says_that_it_is_a_segmentation_is_a_label_map(head):
    assert survey(Volume(head, np.eye(4), "SEG")).label_map


def test_ct_is_known_by_its_air_and_a_phase_is_not_called_ct(make_phantom):
    ct = make_phantom((6, 60, 64), noise=20, air=-1000).voxels
    random = np.random.default_rng(0)
    phases = {
        "noise of all phases": random.integers(-4096, 4095, ct.shape),
        "wrapped": (make_phantom((6, 60, 64)).voxels * 17 + 2048) % 4096 - 2048,
        "velocities": (random.normal(0, 300, ct.shape)).astype(np.int16),
    }
    assert survey(Volume(ct, np.eye(4))).modality == "CT"
    for name, voxels in phases.items():
        found = survey(Volume(voxels.astype(np.int16), np.eye(4)))
        assert (found.modality, found.modality_from) == (None, "nobody"), name


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_series_says_which_axis_lies_across_the_slices_whatever_the_spacings(phantom, axis):
    assert slice_axis(phantom) == 2
    volume = replace(phantom, slice_axis=axis)
    seen = survey(volume)
    assert (slice_axis(volume), seen.slice_axis, seen.slice_axis_from) == (axis, axis, "the series")


def test_the_thickness_of_a_series_belongs_to_its_own_axis(make_phantom, phantom):
    cubic = refined_matrix(phantom.ijk_to_ras, (1, 1, 3))
    volume = replace(make_phantom((9, 20, 22), matrix=cubic), slice_thickness=1.5, slice_axis=2)
    seen = survey(volume)
    assert (seen.thickness, seen.thickness_from) == (1.5, "the file")
    across = survey(volume, 1)
    assert (across.slice_axis_from, across.thickness, across.thickness_from) == (
        "the request",
        1.0,
        "the slice spacing",
    )
