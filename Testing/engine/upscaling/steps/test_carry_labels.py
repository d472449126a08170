"""Masks and label maps: refused, or carried exactly, onto the grid that their scan gets."""

from dataclasses import replace

import numpy as np
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.file_to_file import upscale_file
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"


@pytest.fixture
def labels(oblique_phantom):
    return Volume(np.digitize(oblique_phantom.voxels, (200, 500, 700)).astype(np.uint8), oblique_phantom.ijk_to_ras)


def request(**wishes):
    return UpscaleRequest(**{"quality": "fast", "device": "cpu", "factor": 2, **wishes})


def test_a_label_map_is_refused_in_one_sentence_and_a_scan_is_not_carried(labels, phantom):
    with pytest.raises(InputError, match=ONE_SENTENCE) as caught:
        upscale(labels, request())
    assert "label map" in str(caught.value)
    assert upscale(phantom, request(labels="found")).report["steps"][0]["kind"] == "slice plane"


def test_black_and_white_is_upscaled_with_a_warning_and_carried_where_labels_are(labels):
    bilevel = replace(labels, voxels=(labels.voxels > 1).astype(np.uint8) * 255)
    (warning,) = upscale(bilevel, request()).report["warnings"]
    assert "if it is a mask, --labels nearest" in warning
    carried = upscale(bilevel, request(labels="found"))
    assert set(np.unique(carried.volume.voxels)) == {0, 255} and carried.report["warnings"] == []


@pytest.mark.parametrize("labelled", ["nearest", "found"])
@pytest.mark.parametrize("factors", [(2, 2, 1), (4, 4, 1), (2, 2, 2), (1, 1, 4)])
def test_factors_repeat_each_label(labels, factors, labelled):
    result = upscale(labels, request(factor=factors, labels=labelled))
    expected = labels.voxels
    for axis, factor in enumerate(reversed(factors)):
        expected = np.repeat(expected, factor, axis)
    np.testing.assert_array_equal(result.volume.voxels, expected)
    assert result.volume.voxels.dtype == np.uint8
    np.testing.assert_allclose(result.volume.ras_bounds(), labels.ras_bounds(), atol=1e-6)
    assert result.report["steps"] == [{"kind": "labels", "spacing_mm_ijk": pytest.approx(result.volume.spacing)}]


@pytest.mark.parametrize(
    "wishes",
    [{"factor": None, "isotropic": True}, {"factor": None, "spacing": 0.37}, {"box": ((3, 4, 1), (30, 31, 4))}],
    ids=["isotropic", "spacing", "box"],
)
def test_labels_get_the_grid_of_their_scan_and_each_voxel_the_label_it_lies_in(labels, oblique_phantom, wishes):
    fine = upscale(labels, request(labels="nearest", **wishes)).volume
    scan = upscale(oblique_phantom, request(**wishes)).volume
    np.testing.assert_array_equal(fine.ijk_to_ras, scan.ijk_to_ras)
    assert fine.dimensions == scan.dimensions
    index = np.stack(np.meshgrid(*map(np.arange, fine.dimensions), indexing="ij"), -1).reshape(-1, 3)
    to_coarse = np.linalg.inv(labels.ijk_to_ras) @ fine.ijk_to_ras
    where = index @ to_coarse[:3, :3].T + to_coarse[:3, 3]
    clear = (np.abs(where - np.rint(where)) < 0.49).all(axis=1)
    i, j, k = np.rint(where[clear]).astype(int).clip(0, np.array(labels.dimensions) - 1).T
    np.testing.assert_array_equal(fine.voxels.T.reshape(-1)[clear], labels.voxels[k, j, i])


@pytest.mark.parametrize("labelled", ["nearest", "found"])
@pytest.mark.parametrize("value", [0, 3])
def test_an_empty_mask_and_one_of_a_single_label_are_carried(labels, value, labelled):
    result = upscale(replace(labels, voxels=np.full_like(labels.voxels, value)), request(labels=labelled))
    k, j, i = labels.voxels.shape
    np.testing.assert_array_equal(result.volume.voxels, np.full((k, 2 * j, 2 * i), value))
    assert result.report["survey"]["range"] == [value, value]


def test_what_is_no_number_is_not_carried(labels):
    with pytest.raises(InputError, match="NaN"):
        upscale(replace(labels, voxels=np.full(labels.voxels.shape, np.inf)), request(labels="nearest"))


@pytest.mark.parametrize("wishes, reason", [({"error": True}, "expected error"), ({"labels": "linear"}, "nearest")])
def test_what_labels_cannot_have_is_refused(labels, wishes, reason):
    with pytest.raises(InputError, match=reason):
        upscale(labels, request(**{"labels": "nearest", **wishes}))


def test_no_difference_to_interpolation_is_written_of_labels(labels, tmp_path):
    from SuperResolutionLib.files.writing import write_volume

    write_volume(labels, tmp_path / "l.nrrd")
    with pytest.raises(InputError, match="nothing was added"):
        upscale_file(tmp_path / "l.nrrd", tmp_path / "o.nrrd", request(labels="nearest"), added=tmp_path / "a.nrrd")
    assert [path.name for path in tmp_path.iterdir()] == ["l.nrrd"]
