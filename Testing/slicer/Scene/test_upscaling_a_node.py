"""``SuperResolutionLogic.upscale`` without its Slicer shell: from a node to a node, in this process."""

import json

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
import slicer.util  # noqa: E402
from SuperResolutionWidgets.Scene.NodeUpscaler import NodeUpscaler  # noqa: E402
from SuperResolutionWidgets.Scene.VolumeNodes import ijkToWorld  # noqa: E402

from SuperResolutionLib.errors import Cancelled, InputError  # noqa: E402


@pytest.fixture
def upscale(nearest):
    return NodeUpscaler(nearest).upscale


def test_the_result_fills_the_same_box_with_finer_voxels(phantom, upscale):
    node = upscale(phantom, factor=4)
    assert node.GetImageData().GetDimensions() == (96, 80, 6)
    np.testing.assert_allclose(node.GetSpacing(), (0.2, 0.225, 3.0))
    bounds, wanted = np.zeros(6), np.zeros(6)
    node.GetRASBounds(bounds)
    phantom.GetRASBounds(wanted)
    np.testing.assert_allclose(bounds, wanted, atol=1e-6)


def test_int16_in_gives_int16_out(phantom, upscale):
    assert slicer.util.arrayFromVolume(upscale(phantom)).dtype == np.int16


@pytest.mark.parametrize("factor, name", [(4, "Phantom SR x4"), (2, "Phantom SR x2"), ((2, 2, 1), "Phantom SR 2x2x1")])
def test_the_result_is_named_after_the_input_and_the_factor(phantom, upscale, factor, name):
    assert upscale(phantom, factor=factor).GetName() == name


def test_a_second_result_gets_a_name_of_its_own(phantom, upscale):
    first, second = upscale(phantom), upscale(phantom)
    assert first is not second
    assert first.GetName() != second.GetName()


def test_the_input_is_not_changed(phantom, upscale):
    voxels = slicer.util.arrayFromVolume(phantom).copy()
    before = str(phantom).split("MTime")[0], phantom.GetImageData().GetMTime(), phantom.GetStorageNode()
    upscale(phantom)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(phantom), voxels)
    assert (str(phantom).split("MTime")[0], phantom.GetImageData().GetMTime(), phantom.GetStorageNode()) == before


def test_the_result_shares_the_inputs_study(phantom, scene, upscale):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, phantom)
    node = upscale(phantom)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_the_result_has_the_inputs_transform(phantom, scene, upscale):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Registration")
    phantom.SetAndObserveTransformNodeID(transform.GetID())
    assert upscale(phantom).GetParentTransformNode() is transform


def test_the_result_has_the_inputs_window_level_and_colours(phantom, upscale):
    display = phantom.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(321, 123)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeRed")
    display.SetInterpolate(0)
    result = upscale(phantom).GetDisplayNode()
    assert result is not display
    assert (result.GetWindow(), result.GetLevel()) == (321, 123)
    assert result.GetColorNodeID() == "vtkMRMLColorTableNodeRed"
    assert result.GetInterpolate() == 0


def test_an_automatic_window_is_frozen_so_that_both_look_alike(phantom, upscale):
    display = phantom.GetDisplayNode()
    assert display.GetAutoWindowLevel()
    result = upscale(phantom).GetDisplayNode()
    assert not result.GetAutoWindowLevel()
    assert (result.GetWindow(), result.GetLevel()) == (display.GetWindow(), display.GetLevel())


def test_a_volume_without_a_display_gives_a_result_that_can_be_shown(scene, upscale):
    node = slicer.util.addVolumeFromArray(np.arange(5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7), name="Bare")
    scene.RemoveNode(node.GetDisplayNode())
    assert upscale(node).GetDisplayNode() is not None


def test_the_result_says_where_it_comes_from(phantom, upscale):
    node = upscale(phantom, factor=4)
    assert node.GetAttribute("SuperResolution.Model") == "nearest"
    assert node.GetAttribute("SuperResolution.ModelSHA256") == "00ff"
    assert node.GetAttribute("SuperResolution.Factor") == "4x4x1"
    assert node.GetAttribute("SuperResolution.Detail") == "0.0"
    assert node.GetAttribute("SuperResolution.Device") == "cpu"
    assert node.GetAttribute("SuperResolution.Version") == "SuperResolution 0"
    assert json.loads(node.GetAttribute("SuperResolution.Report"))["warnings"] == []


def test_the_factor_is_that_of_the_voxels_whatever_the_report_says(phantom, nearest):
    def engine(*arguments):
        result = nearest(*arguments)
        result.report.update(output={"factors_ijk": [4, 4, 1]})
        return result

    node = NodeUpscaler(engine).upscale(phantom, factor=(1, 1, 3))
    assert node.GetAttribute("SuperResolution.Factor") == "1x1x3"


@pytest.mark.parametrize("suffix", ["nrrd", "nii.gz"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_a_result_of_any_type_is_saved_like_its_input(scene, upscale, tmp_path, dtype, suffix):
    voxels = np.arange(-60, 60).reshape(4, 5, 6).astype(dtype)
    node = upscale(slicer.util.addVolumeFromArray(voxels, name="Typed"), factor=2)
    writer, reader = (scene.AddNode(slicer.vtkMRMLVolumeArchetypeStorageNode()) for _ in range(2))
    for storage in (writer, reader):
        storage.SetFileName(str(tmp_path / f"result.{suffix}"))
    assert writer.WriteData(node)
    read = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Read")
    reader.ReadData(read)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(read)[:, ::2, ::2], voxels)
    assert slicer.util.arrayFromVolume(read).dtype == dtype


def _coded(value, scheme, meaning):
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, scheme, meaning)
    return entry


def test_what_the_voxels_measure_is_carried_to_the_result_and_what_comes_with_it(phantom, scene, nearest):
    from SuperResolutionWidgets.Scene.Companion import Companion
    from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement
    from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode

    phantom.SetVoxelValueQuantity(_coded("113041", "DCM", "Apparent Diffusion Coefficient"))
    phantom.SetVoxelValueUnits(_coded("um2/s", "UCUM", "um2/s"))
    fine = nearest(volumeFromNode(phantom), {"factor": 2}, lambda *step: None, lambda: False)
    companion = next(iter(Companion))
    node = ResultPlacement().place(fine.volume, fine.report, phantom, "Fine", companions={companion: fine.volume})
    for made in (node, node.GetNodeReference(companion.reference)):
        assert made.GetVoxelValueQuantity().GetCodeMeaning() == "Apparent Diffusion Coefficient"
        assert made.GetVoxelValueUnits().GetCodeValue() == "um2/s"
        assert made.GetVoxelValueUnits() is not phantom.GetVoxelValueUnits()


def test_what_comes_with_a_result_has_a_colour_legend(phantom, scene, nearest, monkeypatch):
    from types import SimpleNamespace

    from SuperResolutionWidgets.Scene.Companion import Companion
    from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement
    from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode

    logic = slicer.vtkSlicerColorLogic()
    logic.SetMRMLScene(scene)
    modules = SimpleNamespace(colors=SimpleNamespace(logic=lambda: logic))
    monkeypatch.setattr(slicer, "modules", modules, raising=False)
    fine = nearest(volumeFromNode(phantom), {"factor": 2}, lambda *step: None, lambda: False)
    node = ResultPlacement().place(fine.volume, fine.report, phantom, "Fine", companions={Companion.ADDED: fine.volume})
    legend = logic.GetColorLegendDisplayNode(node.GetNodeReference(Companion.ADDED.reference))
    assert legend.GetTitleText() == "What was added" and legend.GetVisibility()
    assert logic.GetColorLegendDisplayNode(node) is None


def test_an_expected_error_is_seen_over_a_result_only_where_it_is_large(phantom, nearest):
    from SuperResolutionWidgets.Scene.Companion import Companion
    from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement
    from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode

    fine = nearest(volumeFromNode(phantom), {"factor": 2}, lambda *step: None, lambda: False)
    companions = {companion: fine.volume for companion in Companion}
    node = ResultPlacement().place(fine.volume, fine.report, phantom, "Fine", companions=companions)
    added, error = (
        node.GetNodeReference(companion.reference).GetDisplayNode() for companion in (Companion.ADDED, Companion.ERROR)
    )
    assert error.GetApplyThreshold() and not added.GetApplyThreshold()
    assert 0 < error.GetLowerThreshold() < error.GetWindowLevelMax() < error.GetUpperThreshold()


def test_an_output_node_loses_the_unit_that_the_input_does_not_have(phantom, scene, upscale):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Mine")
    output.SetVoxelValueUnits(_coded("[hnsf'U]", "UCUM", "Hounsfield unit"))
    assert upscale(phantom, outputNode=output).GetVoxelValueUnits() is None


def test_slice_views_show_the_result_unless_told_otherwise(phantom, scene, upscale):
    views = [scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode") for _ in range(3)]
    upscale(phantom, show=False)
    assert [view.GetBackgroundVolumeID() for view in views] == [None] * 3
    node = upscale(phantom)
    assert [view.GetBackgroundVolumeID() for view in views] == [node.GetID()] * 3


def test_views_are_fitted_only_where_there_is_a_layout(phantom, upscale, monkeypatch):
    class Application:
        def __init__(self, layout):
            self.layoutManager = lambda: layout

    fits = []
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda background, fit: fits.append(fit))
    upscale(phantom)
    for layout in (None, object()):
        monkeypatch.setattr(slicer, "app", Application(layout), raising=False)
        upscale(phantom)
    assert fits == [False, False, True]


def test_a_given_output_node_is_filled_and_keeps_its_name(phantom, scene, upscale):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Mine")
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    assert upscale(phantom, outputNode=output) is output
    assert output.GetName() == "Mine"
    assert output.GetImageData().GetDimensions() == (96, 80, 6)
    assert output.GetDisplayNode() is not None
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == count


def test_a_reused_result_is_named_after_its_new_content_and_keeps_the_users_window(phantom, upscale):
    first = upscale(phantom, factor=2)
    first.GetDisplayNode().SetWindowLevel(77, 33)
    assert upscale(phantom, factor=2, outputNode=first).GetName() == "Phantom SR x2"
    assert upscale(phantom, factor=4, outputNode=first).GetName() == "Phantom SR x4"
    assert (first.GetDisplayNode().GetWindow(), first.GetDisplayNode().GetLevel()) == (77, 33)
    first.SetName("My best")
    assert upscale(phantom, factor=2, outputNode=first).GetName() == "My best"


def test_a_reused_result_of_another_scan_gets_that_scans_window(phantom, scene, upscale):
    output = upscale(phantom, factor=2)
    other = slicer.util.addVolumeFromArray(np.arange(120, dtype=np.int16).reshape(4, 5, 6), name="Other")
    other.GetDisplayNode().SetAutoWindowLevel(False)
    other.GetDisplayNode().SetWindowLevel(12, 6)
    assert upscale(other, factor=2, outputNode=output).GetName() == "Other SR x2"
    assert (output.GetDisplayNode().GetWindow(), output.GetDisplayNode().GetLevel()) == (12, 6)


def test_what_came_with_a_result_is_refused_as_input(phantom, upscale):
    from SuperResolutionWidgets.Scene.Companion import COMPANION_ATTRIBUTE

    phantom.SetAttribute(COMPANION_ATTRIBUTE, "error")
    with pytest.raises(InputError, match="shows how far a result may be off; choose the scan"):
        upscale(phantom)


def test_filling_a_clone_does_not_touch_the_volume_it_shares_voxels_with(phantom, scene, upscale):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Clone")
    output.SetAndObserveImageData(phantom.GetImageData())
    upscale(phantom, outputNode=output)
    assert phantom.GetImageData().GetDimensions() == (24, 20, 6)


def test_an_output_node_that_was_removed_meanwhile_is_replaced(phantom, scene, nearest):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Gone")

    def engine(*arguments):
        scene.RemoveNode(output)
        return nearest(*arguments)

    node = NodeUpscaler(engine).upscale(phantom, outputNode=output)
    assert node is not output
    assert node.GetScene() is scene


def test_the_input_is_refused_as_output(phantom, upscale):
    with pytest.raises(InputError, match="never changed"):
        upscale(phantom, outputNode=phantom)


def test_a_label_map_is_refused_as_output(phantom, scene, upscale):
    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
    with pytest.raises(InputError, match="Labels"):
        upscale(phantom, outputNode=labels)


def test_an_roi_node_turned_as_the_scan_becomes_the_box_of_its_voxels_and_other_options_reach_the_engine(
    phantom, scene, upscale, nearest
):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    matrix = ijkToWorld(phantom)
    turned = np.eye(4)
    turned[:3, :3] = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    roi.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(turned))
    roi.SetCenter(*(matrix @ [4.5, 6.5, 2, 1])[:3])
    roi.SetSize(4 * 0.8, 6 * 0.9, 3 * 3)
    upscale(phantom, factor=2, region=roi, quality="best", device="cpu", asStored=True)
    box = ((3, 4, 1), (7, 10, 4))
    expected = {"factor": 2, "as_stored": True, "region": None, "box": box, "quality": "best", "device": "cpu"}
    assert nearest.options == expected


def test_progress_is_passed_on(phantom, upscale):
    steps = []
    upscale(phantom, progress=lambda *step: steps.append(step))
    assert steps[-1] == (3, 4, "Upscaling")


def test_a_cancelled_run_leaves_the_scene_as_it_was(phantom, upscale, contents):
    before = contents()
    with pytest.raises(Cancelled):
        upscale(phantom, cancelled=lambda: True)
    assert contents() == before


def test_a_failed_run_leaves_no_node_behind(phantom, contents):
    def engine(*arguments):
        raise RuntimeError("out of memory")

    before = contents()
    with pytest.raises(RuntimeError):
        NodeUpscaler(engine).upscale(phantom)
    assert contents() == before


@pytest.mark.parametrize("step", ["_writeProvenance", "_copyDisplay", "_joinStudy"])
def test_a_result_that_cannot_be_placed_leaves_nothing_behind(phantom, nearest, contents, monkeypatch, step):
    from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement

    original = getattr(ResultPlacement, step)

    def fail(self, *arguments):
        original(self, *arguments)
        raise MemoryError

    monkeypatch.setattr(ResultPlacement, step, fail)
    before = contents()
    with pytest.raises(MemoryError):
        NodeUpscaler(nearest).upscale(phantom)
    assert contents() == before


def test_a_mask_that_was_loaded_as_a_volume_is_refused(phantom, contents):
    slicer.util.updateVolumeFromArray(phantom, (slicer.util.arrayFromVolume(phantom) > 300).astype(np.uint8))
    before = contents()
    with pytest.raises(InputError, match="mask or a label map"):
        NodeUpscaler().upscale(phantom, factor=2, device="cpu")
    assert contents() == before


def test_a_phase_image_is_not_called_ct(phantom):
    from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode

    from SuperResolutionLib.acquisition.survey import survey

    phase = np.random.default_rng(0).integers(-4096, 4095, slicer.util.arrayFromVolume(phantom).shape)
    slicer.util.updateVolumeFromArray(phantom, phase.astype(np.int16))
    assert survey(volumeFromNode(phantom)).modality is None


def test_missing_packages_are_named_in_one_sentence(phantom, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "SuperResolutionLib.upscaling.upscale", None)
    with pytest.raises(InputError, match="install"):
        NodeUpscaler().upscale(phantom)


@pytest.mark.parametrize("fault", ["OSError('[WinError 126] DLL not found')", "AttributeError('no torch.nn')"])
def test_a_half_installed_torch_is_named_in_one_sentence(root, tmp_path, fault):
    import subprocess
    import sys

    (tmp_path / "torch.py").write_text(f"raise {fault}")
    code = (
        f"import sys; sys.path[:0] = {[str(tmp_path), str(root), str(root / 'SuperResolution')]!r}\n"
        "from SuperResolutionLib.errors import InputError\n"
        "from SuperResolutionWidgets.Scene.NodeUpscaler import runEngine\n"
        "try: runEngine(None, {}, None, None)\n"
        "except InputError as error: print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"does not load ({fault.split(chr(39))[1]}); run SuperResolutionLogic().install()" in answer.stdout, (
        answer.stderr
    )


def test_the_real_engine_upscales_a_node(phantom):
    node = NodeUpscaler().upscale(phantom, factor=2, device="cpu", quality="fast")
    assert node.GetImageData().GetDimensions() == (48, 40, 6)
    fine = slicer.util.arrayFromVolume(node).astype(float)
    coarse = fine.reshape(6, 20, 2, 24, 2).mean(axis=(2, 4))
    assert np.corrcoef(coarse.ravel(), slicer.util.arrayFromVolume(phantom).ravel())[0, 1] > 0.98
    assert len(node.GetAttribute("SuperResolution.ModelSHA256")) == 64


@pytest.mark.parametrize(
    "wish, name, size",
    [
        ({"isotropic": True}, "Phantom SR isotropic", (24, 23, 23)),
        ({"factor": (1, 1, 3)}, "Phantom SR 1x1x3", (24, 20, 18)),
        ({"spacing": (0.9, 0.9, 1.5)}, "Phantom SR 0.9x0.9x1.5 mm", (21, 20, 12)),
        ({"spacing": 0.45}, "Phantom SR 0.45 mm", (43, 40, 6)),
    ],
    ids=str,
)
def test_isotropic_and_target_spacing_are_served_and_named(phantom, wish, name, size):
    node = NodeUpscaler().upscale(phantom, device="cpu", **wish)
    assert node.GetName() == name
    assert node.GetImageData().GetDimensions() == size
    bounds, inputBounds = np.zeros(6), np.zeros(6)
    node.GetRASBounds(bounds)
    phantom.GetRASBounds(inputBounds)
    assert np.abs(bounds - inputBounds).max() <= 0.5
