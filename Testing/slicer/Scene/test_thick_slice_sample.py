"""The sample data set with thick slices: its averaging, its place in space, and its place in Sample Data."""

import sys
import types

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Scene.ThickSliceSample import ThickSliceSample  # noqa: E402

from SuperResolutionLib.files.writing import write_volume  # noqa: E402
from SuperResolutionLib.geometry.volume import Volume  # noqa: E402


@pytest.fixture
def head():
    """130 sagittal slices of 1.3 mm, as MRHead has them; the voxel value is the distance along R, in 0.1 mm."""
    matrix = np.array([[0, 0, -1.3, 86.6], [-1, 0, 0, 133.9], [0, -1, 0, 116.8], [0, 0, 0, 1]])
    voxels = np.zeros((130, 8, 6), np.int16)
    voxels[:] = np.rint(10 * (86.6 - 1.3 * np.arange(130)))[:, None, None]
    return Volume(voxels, matrix)


def test_slices_are_averaged_in_the_same_place_in_space(head):
    thick = ThickSliceSample().thickened(head)
    assert thick.dimensions == (6, 8, 32)
    assert thick.voxels.dtype == np.int16
    np.testing.assert_allclose(thick.spacing, (1, 1, 5.2))
    centres = (thick.ijk_to_ras @ [0, 0, 10, 1])[0]
    assert thick.voxels[10, 3, 3] == pytest.approx(10 * centres, abs=1)


def test_the_box_of_the_slices_that_are_kept_stays(head):
    thick = ThickSliceSample().thickened(head)
    whole = head.cropped((0, 0, 0), (6, 8, 128))
    np.testing.assert_allclose(thick.ras_bounds(), whole.ras_bounds(), atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_coarsest_axis_is_the_one_that_is_thickened(axis):
    spacing = np.ones(3)
    spacing[axis] = 2
    voxels = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    thick = ThickSliceSample(2).thickened(Volume(voxels, np.diag([*spacing, 1])))
    wanted = [8, 8, 8]
    wanted[axis] = 4
    assert list(thick.dimensions) == wanted
    assert thick.voxels.dtype == np.float32
    np.testing.assert_allclose(thick.voxels.mean(), voxels.mean(), rtol=1e-5)
    first = np.moveaxis(voxels, 2 - axis, 0)[:2].mean(axis=0)
    np.testing.assert_allclose(np.moveaxis(thick.voxels, 2 - axis, 0)[0], first, rtol=1e-6)


@pytest.fixture
def sample_data(monkeypatch, tmp_path, head):
    """Stands in for Slicer's module SampleData, with its signatures; the cache holds ``head`` for MRHead."""
    module = types.ModuleType("SampleData")
    module.sources = []

    class SampleDataLogic:
        @staticmethod
        def registerCustomSampleDataSource(
            category="Custom",
            sampleName=None,
            uris=None,
            fileNames=None,
            nodeNames=None,
            customDownloader=None,
            thumbnailFileName=None,
            loadFileTypes=None,
            loadFiles=None,
            loadFileProperties=None,
            checksums=None,
            loadFileType=None,
        ):
            module.sources.append(types.SimpleNamespace(**locals()))

        def downloadSourceIntoCache(self, source):
            assert source.uris.endswith(source.checksums.split(":")[1])
            path = tmp_path / source.fileNames
            write_volume(head, path)
            return [str(path)]

    module.SampleDataLogic = SampleDataLogic
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return module


def test_it_is_offered_in_sample_data(sample_data):
    ThickSliceSample().register()
    (source,) = sample_data.sources
    assert source.category == "Super Resolution"
    assert source.uris.startswith("https://github.com/Slicer/SlicerTestingData/")
    # A script that asks for it by name gets MRHead itself, under its own name.
    assert source.nodeNames == "MRHead"


def test_registering_again_gives_an_equal_source_which_sample_data_then_drops(sample_data):
    ThickSliceSample().register()
    ThickSliceSample().register()
    first, second = sample_data.sources
    assert str(first.customDownloader) == str(second.customDownloader)


def test_a_click_in_sample_data_loads_and_shows_the_thick_volume(sample_data, scene, head, monkeypatch):
    cursor = []
    application = types.SimpleNamespace(
        layoutManager=lambda: None,
        setOverrideCursor=cursor.append,
        restoreOverrideCursor=lambda: cursor.pop(),
    )
    monkeypatch.setattr(slicer, "app", application, raising=False)
    monkeypatch.setitem(sys.modules, "qt", types.SimpleNamespace(Qt=types.SimpleNamespace(WaitCursor=3)))
    slice_view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    ThickSliceSample().register()
    (source,) = sample_data.sources
    node = source.customDownloader(source)
    assert node.GetName() == "MRHeadThick"
    assert node.GetImageData().GetDimensions() == (6, 8, 32)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), ThickSliceSample().thickened(head).voxels)
    bounds = np.zeros(6)
    node.GetRASBounds(bounds)
    wanted = ThickSliceSample().thickened(head).ras_bounds().T.ravel()
    np.testing.assert_allclose(bounds, wanted, atol=1e-6)
    assert slice_view.GetBackgroundVolumeID() == node.GetID()
    assert source.customDownloader(source).GetName() != "MRHeadThick"
    assert cursor == []
