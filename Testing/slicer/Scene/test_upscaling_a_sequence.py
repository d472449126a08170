"""``SuperResolutionLogic.upscaleSequence`` without its Slicer shell, under Slicer's own Sequences logic."""

import json

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
import slicer  # noqa: E402
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Scene.EngineCall import EngineCall  # noqa: E402
from SuperResolutionWidgets.Scene.SequencePlacement import SequencePlacement  # noqa: E402
from SuperResolutionWidgets.Scene.SequenceUpscaler import SequenceUpscaler  # noqa: E402
from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode  # noqa: E402

from SuperResolutionLib.errors import Cancelled, InputError  # noqa: E402
from SuperResolutionLib.geometry.grid import Grid  # noqa: E402


@pytest.fixture
def sequencesLogic(scene):
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    return logic


def console(upscaler):
    """Return the function that calls a ``SequenceUpscaler`` as ``SuperResolutionLogic.upscaleSequence`` does."""

    def upscale(node, factor=4, show=True, progress=None, cancelled=None, asStored=False, **options):
        return upscaler.upscale(node, EngineCall(factor, progress, cancelled, asStored, **options), show)

    return upscale


@pytest.fixture
def upscale(nearest, sequencesLogic):
    return console(SequenceUpscaler(nearest, SequencePlacement(sequencesLogic)))


@pytest.fixture
def sequence(phantom, scene):
    """Three volumes at 0, 2.5 and 10 seconds, the phantom times 1, 2 and 3."""
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Perfusion")
    node.SetIndexName("time")
    node.SetIndexUnit("s")
    voxels = slicer.util.arrayFromVolume(phantom).copy()
    for number, time in enumerate(("0", "2.5", "10")):
        slicer.util.updateVolumeFromArray(phantom, voxels * (number + 1))
        node.SetDataNodeAtValue(phantom, time)
    return node


@pytest.fixture
def browser(scene, sequence, sequencesLogic):
    node = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    node.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    sequencesLogic.UpdateProxyNodesFromSequences(node)
    return node


def arrays(sequenceNode):
    return [slicer.util.arrayFromVolume(sequenceNode.GetNthDataNode(n)).copy() for n in range(3)]


def test_the_result_of_a_sequence_of_signed_bytes_can_be_saved(phantom, scene, upscale, tmp_path):
    slicer.util.updateVolumeFromArray(phantom, np.arange(-60, 60, dtype=np.int8).reshape(4, 5, 6))
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Bytes")
    sequence.SetDataNodeAtValue(phantom, "0")
    node = upscale(sequence, factor=2).GetNthDataNode(0)
    assert node.GetAttribute("SuperResolution.Factor") == "2x2x1"
    storage = scene.AddNode(slicer.vtkMRMLVolumeArchetypeStorageNode())
    storage.SetFileName(str(tmp_path / "result.nrrd"))
    assert storage.WriteData(node)


def test_each_volume_is_upscaled_at_its_own_index_value(sequence, upscale):
    before = arrays(sequence)
    fine = upscale(sequence, factor=2)
    assert fine.GetName() == "Perfusion SR x2"
    assert (fine.GetIndexName(), fine.GetIndexUnit()) == ("time", "s")
    assert fine.GetIndexType() == sequence.GetIndexType()
    assert [fine.GetNthIndexValue(n) for n in range(fine.GetNumberOfDataNodes())] == ["0", "2.5", "10"]
    for number, coarse in enumerate(before):
        node = fine.GetNthDataNode(number)
        assert node.GetImageData().GetDimensions() == (48, 40, 6)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node)[:, ::2, ::2], coarse)
        bounds, wanted = np.zeros(6), np.zeros(6)
        node.GetRASBounds(bounds)
        sequence.GetNthDataNode(number).GetRASBounds(wanted)
        np.testing.assert_allclose(bounds, wanted, atol=1e-6)
        assert json.loads(node.GetAttribute("SuperResolution.Report"))["steps"][0]["model"] == "nearest"
    for array, old in zip(arrays(sequence), before):
        np.testing.assert_array_equal(array, old)


def test_the_result_is_browsed_together_with_the_input(sequence, browser, upscale, sequencesLogic, scene):
    fine = upscale(sequence, factor=2)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode") == 1
    browser.SetSelectedItemNumber(2)
    sequencesLogic.UpdateProxyNodesFromSequences(browser)
    shown, inputShown = (slicer.util.arrayFromVolume(browser.GetProxyNode(node)) for node in (fine, sequence))
    np.testing.assert_array_equal(shown[:, ::2, ::2], inputShown)


def test_a_sequence_that_is_not_browsed_gets_a_browser_for_its_result(sequence, upscale, scene):
    fine = upscale(sequence, factor=2)
    (browser,) = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode", scene)
    assert browser.GetMasterSequenceNode() is fine
    assert browser.GetProxyNode(fine).GetImageData().GetDimensions() == (48, 40, 6)


def test_the_shown_result_has_the_inputs_window_transform_and_study(sequence, browser, upscale, scene):
    shown = browser.GetProxyNode(sequence)
    shown.GetDisplayNode().SetAutoWindowLevel(False)
    shown.GetDisplayNode().SetWindowLevel(321, 123)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    shown.SetAndObserveTransformNodeID(transform.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, shown)
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    result = browser.GetProxyNode(upscale(sequence, factor=2))
    assert (result.GetDisplayNode().GetWindow(), result.GetDisplayNode().GetLevel()) == (321, 123)
    assert result.GetParentTransformNode() is transform
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result)) == study
    assert view.GetBackgroundVolumeID() == result.GetID()


def test_the_views_are_left_alone_if_asked(sequence, upscale, scene):
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    upscale(sequence, show=False)
    assert view.GetBackgroundVolumeID() is None


def test_progress_counts_through_all_volumes(sequence, upscale):
    steps = []
    upscale(sequence, progress=lambda *step: steps.append(step))
    assert [step[0] for step in steps] == list(range(12))
    assert steps[-1] == (11, 12, "Upscaling: 3 of 3")


def test_options_reach_the_engine_and_a_region_follows_the_shown_transform(sequence, browser, upscale, nearest, scene):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Shift")
    matrix = np.eye(4)
    matrix[:3, 3] = [100, 0, 0]
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    browser.GetProxyNode(sequence).SetAndObserveTransformNodeID(transform.GetID())
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    roi.SetCenter(118, -26, 21)
    roi.SetSize(10, 12, 8)
    upscale(sequence, factor=2, region=roi, device="cpu")
    assert nearest.options["device"] == "cpu"
    frame = volumeFromNode(sequence.GetNthDataNode(0))
    assert nearest.options["box"] == Grid.of(frame).box_of_region((13, -32, 17, 23, -20, 25))


@pytest.mark.parametrize("browsed", [False, True])
def test_a_cancelled_run_leaves_the_scene_as_it_was(sequence, upscale, contents, request, browsed):
    if browsed:
        request.getfixturevalue("browser")
    before, polls = contents(), []

    def cancelled():
        polls.append(None)
        return len(polls) > 6  # in the second volume

    with pytest.raises(Cancelled):
        upscale(sequence, cancelled=cancelled)
    assert contents() == before


class FailingLogic:
    """Slicer's logic, which runs out of memory when it has made the nodes that show the result."""

    def __init__(self, original):
        self._original = original

    def __getattr__(self, name):
        return getattr(self._original, name)

    def UpdateProxyNodesFromSequences(self, browser):
        self._original.UpdateProxyNodesFromSequences(browser)
        raise MemoryError


@pytest.mark.parametrize("browsed", [False, True])
def test_a_result_that_cannot_be_shown_leaves_nothing_behind(
    sequence, nearest, sequencesLogic, contents, request, browsed
):
    browser = request.getfixturevalue("browser") if browsed else None
    before = contents()
    with pytest.raises(MemoryError):
        console(SequenceUpscaler(nearest, SequencePlacement(FailingLogic(sequencesLogic))))(sequence)
    assert contents() == before
    assert browser is None or browser.GetNumberOfSynchronizedSequenceNodes(True) == 1


@pytest.mark.parametrize("step", ["_copyDisplay", "_joinStudy"])
def test_a_result_that_cannot_be_placed_leaves_nothing_behind(sequence, browser, upscale, contents, monkeypatch, step):
    original = getattr(SequencePlacement, step)

    def fail(self, *arguments):
        original(self, *arguments)
        raise MemoryError

    monkeypatch.setattr(SequencePlacement, step, fail)
    before = contents()
    with pytest.raises(MemoryError):
        upscale(sequence)
    assert contents() == before
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 1


def test_what_is_no_sequence_of_grey_volumes_is_refused(scene, phantom, upscale, contents):
    empty = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Empty")
    transforms = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Transforms")
    transforms.SetDataNodeAtValue(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "T"), "0")
    before = contents()
    for node, reason in ((None, "sequence"), (phantom, "sequence"), (empty, "empty"), (transforms, "grey-scale")):
        with pytest.raises(InputError, match=reason):
            upscale(node)
    assert contents() == before


def test_the_real_engine_upscales_a_sequence(sequence, sequencesLogic):
    placement = SequencePlacement(sequencesLogic)
    fine = console(SequenceUpscaler(placement=placement))(sequence, factor=2, device="cpu", quality="fast")
    for number, array in enumerate(arrays(fine)):
        coarse = array.astype(float).reshape(6, 20, 2, 24, 2).mean(axis=(2, 4))
        source = slicer.util.arrayFromVolume(sequence.GetNthDataNode(number))
        assert np.corrcoef(coarse.ravel(), source.ravel())[0, 1] > 0.98
