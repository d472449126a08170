"""``SuperResolutionLogic.fuse`` without its Slicer shell: from several nodes to one, in this process."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Scene.NodeFuser import NodeFuser  # noqa: E402
from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement  # noqa: E402

from SuperResolutionLib.errors import Cancelled, InputError  # noqa: E402
from SuperResolutionLib.geometry.volume import Volume  # noqa: E402


class Mean:
    """An engine that puts nothing together; ``asked`` is what it was last given."""

    def __call__(self, volumes, options, progress, cancelled):
        self.volumes, self.options = volumes, options
        for step in range(4):
            progress(step, 4, "Putting the scans together")
            if cancelled():
                raise Cancelled
        matrix = volumes[0].ijk_to_ras @ np.diag([1, 1, 0.25, 1])
        report = {
            "program": "SuperResolution 0",
            "steps": [{"kind": "fusion", "model": "mean", "model_sha256": "00ff", "detail": 0.0}],
            "device": "cpu",
            "device_label": "CPU",
            "seconds": 0.1,
            "warnings": [],
        }
        return SimpleNamespace(volume=Volume(np.repeat(volumes[0].voxels, 4, axis=0), matrix), report=report)


@pytest.fixture
def mean():
    return Mean()


@pytest.fixture
def fuse(mean):
    return NodeFuser(mean).fuse


def test_the_result_is_named_after_the_reference_and_lies_in_its_study_with_its_units_and_window(planes, scene, fuse):
    tra, cor, sag = planes
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, tra)
    unit = slicer.vtkCodedEntry()
    unit.SetValueSchemeMeaning("um2/s", "UCUM", "um2/s")
    tra.SetVoxelValueUnits(unit)
    tra.GetDisplayNode().SetAutoWindowLevel(False)
    tra.GetDisplayNode().SetWindowLevel(321, 123)
    before = [slicer.util.arrayFromVolume(node).copy() for node in planes]
    node = fuse(planes)
    assert node.GetName() == "T2 tra SR fused"
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study
    assert node.GetVoxelValueUnits().GetCodeValue() == "um2/s"
    assert (node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()) == (321, 123)
    assert json.loads(node.GetAttribute("SuperResolution.Report"))["steps"][0]["kind"] == "fusion"
    for scan, voxels in zip(planes, before):
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(scan), voxels)


def test_the_result_can_be_compared_with_each_scan_that_is_still_there(planes, scene, fuse):
    node = fuse(planes)
    labels = [(found.label, found.node) for found in ResultPlacement().comparables(node)]
    assert labels == [(scan.GetName(), scan) for scan in planes]
    assert ResultPlacement().resultOf(planes[0]) is node and ResultPlacement().resultOf(planes[1]) is None
    scene.RemoveNode(planes[1])
    assert [found.label for found in ResultPlacement().comparables(node)] == ["T2 tra", "T2 sag"]


def test_the_engine_gets_the_scans_where_the_scene_shows_them_below_the_references_transform(planes, scene, fuse, mean):
    tra, cor, sag = planes
    shift = np.eye(4)
    shift[:3, 3] = [5, 0, 0]
    turn = np.array([[0, -1.0, 0, 3], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for node, matrix in ((tra, shift), (cor, turn)):
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        node.SetAndObserveTransformNodeID(transform.GetID())
    matrices = [slicer.util.arrayFromVTKMatrix(_matrix(node)) for node in planes]
    node = fuse(planes)
    given = [volume.ijk_to_ras for volume in mean.volumes]
    np.testing.assert_allclose(given[0], matrices[0], atol=1e-12)
    np.testing.assert_allclose(shift @ given[1], turn @ matrices[1], atol=1e-12)
    np.testing.assert_allclose(shift @ given[2], matrices[2], atol=1e-12)
    assert node.GetParentTransformNode() is tra.GetParentTransformNode()


def _matrix(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_transforms_that_bend_are_refused_unless_all_lie_below_the_same(planes, scene, fuse):
    warp = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    for node in planes[1:]:
        node.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(InputError, match="not both linear; harden them"):
        fuse(planes)
    planes[0].SetAndObserveTransformNodeID(warp.GetID())
    assert fuse(planes).GetParentTransformNode() is warp


def test_options_and_progress_are_passed_on(planes, fuse, mean):
    steps = []
    fuse(planes, progress=lambda *step: steps.append(step), spacing=2.0, motion="none", device="cpu")
    assert mean.options == {"spacing": 2.0, "motion": "none", "device": "cpu"}
    assert steps[-1] == (3, 4, "Putting the scans together")


@pytest.mark.parametrize("failure", [Cancelled, InputError("no"), RuntimeError("out of memory")], ids=repr)
def test_a_run_that_fails_or_is_cancelled_leaves_the_scene_as_it_was(planes, contents, failure):
    def engine(volumes, options, progress, cancelled):
        raise failure

    before = contents()
    with pytest.raises((Cancelled, InputError, RuntimeError)):
        NodeFuser(engine).fuse(planes)
    assert contents() == before


def test_cancelled_is_polled(planes, fuse, contents):
    before = contents()
    with pytest.raises(Cancelled):
        fuse(planes, cancelled=lambda: True)
    assert contents() == before


def test_what_cannot_be_fused_is_refused_in_one_sentence(planes, scene, fuse):
    tra, cor, _ = planes
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    for nodes, reason in (
        ([], "two scans or more"),
        ([tra], "two scans or more"),
        ([tra, cor, tra], "T2 tra is named twice"),
        ([tra, None], "No input volume"),
        ([tra, empty], "Empty holds no voxels"),
    ):
        with pytest.raises(InputError, match=reason):
            fuse(nodes)
    for output in (tra, cor):
        with pytest.raises(InputError, match="never changed"):
            fuse([tra, cor], outputNode=output)


def test_missing_packages_are_named_in_one_sentence(planes, monkeypatch):
    monkeypatch.setitem(sys.modules, "SuperResolutionLib.fusion.fuse", None)
    with pytest.raises(InputError, match="install"):
        NodeFuser().fuse(planes)


def test_the_real_engine_fuses_nodes(planes):
    node = NodeFuser().fuse(planes, motion="none", sharpen=False, force=True)
    assert node.GetImageData().GetDimensions() == (24, 24, 24)
    bounds, wanted = np.zeros(6), np.zeros(6)
    node.GetRASBounds(bounds)
    planes[0].GetRASBounds(wanted)
    np.testing.assert_allclose(bounds, wanted, atol=1e-6)
    fused = slicer.util.arrayFromVolume(node).astype(float)
    assert slicer.util.arrayFromVolume(node).dtype == np.int16
    thick = slicer.util.arrayFromVolume(planes[0]).ravel()
    assert np.corrcoef(fused.reshape(6, 4, 24, 24).mean(axis=1).ravel(), thick)[0, 1] > 0.98
