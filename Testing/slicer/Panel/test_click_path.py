"""The whole way of a user through the panel, with the real worker, the real scene and the real .ui."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
import slicer.util  # noqa: E402
from panel_bench import PanelBench  # noqa: E402
from SuperResolutionWidgets.Panel.Purpose import Purpose  # noqa: E402
from SuperResolutionWidgets.Panel.Quality import Quality  # noqa: E402

from SuperResolutionLib.files.example import example_volume  # noqa: E402


@pytest.fixture
def scan(scene):
    """A real MRI slice, as a volume node of three slices."""
    volume = example_volume()
    voxels = np.repeat(volume.voxels[:1, ::2, ::2], 3, axis=0).copy()
    return slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.diag([-1.0, -1.0, 4.0, 1.0]), name="Head é")


def save(scene, folder):
    """Save the scene, its volumes and its regions as Slicer does: a file each, and a .mrml file."""
    scene.RegisterNodeClass(slicer.vtkMRMLMarkupsROIJsonStorageNode())
    scene.SetURL(str(folder / "scene.mrml"))
    for kind, suffix in (("vtkMRMLScalarVolumeNode", "nrrd"), ("vtkMRMLMarkupsROINode", "mrk.json")):
        for node in slicer.util.getNodesByClass(kind):
            if node.GetSaveWithScene():
                node.AddDefaultStorageNode()
                storage = node.GetStorageNode()
                storage.SetFileName(str(folder / f"{node.GetID()}.{suffix}"))
                assert storage.WriteData(node)
    assert scene.Commit()


@pytest.fixture
def other(scene):
    """Another volume node, in other places."""
    voxels = np.random.default_rng(0).integers(0, 900, (3, 20, 24)).astype(np.int16)
    return slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.diag([2.0, 2.0, 4.0, 1.0]), name="Other")


def test_select_preview_upscale_cancel_upscale_again_save_and_reload(scene, views, scan, contents, tmp_path):
    work, saved = tmp_path / "work", tmp_path / "saved"
    work.mkdir()
    saved.mkdir()
    bench = PanelBench(work).open()
    assert not bench.ui.upscaleButton.enabled

    # select
    bench.ui.inputSelector.setCurrentNode(scan)
    bench.ui.purposeComboBox.setCurrentIndex(list(Purpose).index(Purpose.TIMES_2))
    bench.ui.qualityComboBox.setCurrentIndex(list(Quality).index(Quality.FAST))
    bench.ui.deviceComboBox.setCurrentIndex(1)
    bench.click("addedCheckBox")
    i, j, k = scan.GetImageData().GetDimensions()
    assert f"Result: {2 * i} × {2 * j} × {k} voxels at 0.5 × 0.5 × 4.0 mm" in bench.forecast
    before = contents()

    # preview
    bench.run("previewButton")
    assert slicer.util.getNode("Super resolution (preview)").GetImageData().GetDimensions() == (2 * i, 2 * j, 1)
    bench.click("previewButton")
    assert contents() == before

    # upscale, and cancel in the middle
    bench.run(until=lambda: "1 of 3" in bench.status)
    bench.click("cancelButton")
    assert bench.status == "Cancelled; nothing was changed."
    assert contents() == before
    assert not bench.leftovers

    # upscale again
    bench.run()
    result = slicer.util.getNode("Head é SR x2")
    voxels = slicer.util.arrayFromVolume(result).copy()
    assert voxels.shape == (k, 2 * j, 2 * i)
    assert bench.status.startswith("Head é SR x2: done in ")
    averaged = voxels.reshape(k, j, 2, i, 2).mean(axis=(2, 4))
    assert np.corrcoef(averaged.ravel(), slicer.util.arrayFromVolume(scan).ravel())[0, 1] > 0.99
    assert views("Red")[1].GetBackgroundVolumeID() == result.GetID()
    assert not bench.leftovers

    # save the scene, and reload it into an empty one
    save(scene, saved)
    bench.panel.stop()
    bench.panel.setParameters(None)
    scene.Clear(False)
    assert not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    scene.SetURL(str(saved / "scene.mrml"))
    assert scene.Connect()

    again = PanelBench(work).open()
    assert again.ui.inputSelector.currentText == "Head é"
    assert again.parameters.purpose is Purpose.TIMES_2
    assert again.ui.qualityComboBox.currentText == "Fast"
    assert again.ui.deviceComboBox.currentText == "CPU"
    assert again.ui.addedCheckBox.checked
    assert again.ui.upscaleButton.enabled
    reloaded = slicer.util.getNode("Head é SR x2")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(reloaded), voxels)
    assert reloaded.GetAttribute("SuperResolution.Model").startswith("mri-x2")
    combo = again.ui.compareComboBox
    assert [combo.itemText(n) for n in range(combo.count)] == ["Input", "What was added"]

    # and it goes on from there
    again.run()
    assert slicer.util.getNode("Head é SR x2_1") is not None


def test_load_a_scene_look_closer_leave_during_a_run_compare_and_click_twice(
    widget, scene, views, scan, other, python_slicer, tmp_path
):
    from pythonqt_stand_ins import serve

    quick = Path(__file__).parents[1] / "quick_worker.py"
    python_slicer(f"""-c "import runpy, sys; del sys.argv[1:3]; runpy.run_path('{quick}')" "$@" """)
    ui, parameters = widget.ui, widget.logic.getParameterNode
    saved = tmp_path / "saved"
    saved.mkdir()

    def forecast():
        return ui.forecastLabel.text.replace("\u00a0", " ")

    def names():
        nodes = [views(name)[1].GetBackgroundVolumeID() for name in ("Red", "Yellow", "Green")]
        return [node and scene.GetNodeByID(node).GetName() for node in nodes]

    def places():
        nodes = [views(name)[0] for name in ("Red", "Yellow", "Green")]
        matrices = [slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()).tolist() for node in nodes]
        return matrices, [(node.GetFieldOfView(), node.GetXYZOrigin()) for node in nodes]

    # load a scene with the panel open
    widget.enter()
    ui.inputSelector.setCurrentNode(scan)
    ui.purposeComboBox.setCurrentIndex(0)
    region = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    parameters().region = region
    i, j, _ = scan.GetImageData().GetDimensions()
    assert f"{i} × {j} × 3 voxels" in forecast()
    save(scene, saved)
    scene.Clear(False)
    assert not ui.upscaleButton.enabled
    scene.SetURL(str(saved / "scene.mrml"))
    scene.Import()
    scan, other = slicer.util.getNode("Head é"), slicer.util.getNode("Other")
    assert ui.inputSelector.currentNode() is scan and ui.upscaleButton.enabled
    assert f"{i} × {j} × 3 voxels" in forecast()
    slicer.util.getNode("Region").SetSize(20, 20, 40)
    assert "40 × 40 × 3 voxels" in forecast()
    parameters().region = None

    # zoom and scroll before the result comes; it takes the place of its input
    for name, volume in zip(("Red", "Yellow", "Green"), (scan, other, scan)):
        views(name)[1].SetBackgroundVolumeID(volume.GetID())
    ui.upscaleButton.widget.click()
    for name in ("Red", "Yellow", "Green"):
        views(name)[0].SetFieldOfView(12, 9, 1)
        views(name)[0].JumpSliceByOffsetting(-5, -6, 4)
    before = places()
    serve(lambda: not ui.cancelButton.enabled)
    assert (names(), places()) == (["Head é SR x2", "Other", "Head é SR x2"], before)

    # enter another module during a run, and come back
    ui.upscaleButton.widget.click()
    widget.exit()
    for name in ("Red", "Yellow", "Green"):
        views(name)[1].SetBackgroundVolumeID(scan.GetID())
    serve(lambda: not ui.cancelButton.enabled)
    assert (names(), places()) == (["Head é"] * 3, before)
    widget.enter()
    assert ui.statusLabel.text.startswith("Head é SR x2_1: done in ")
    assert ui.compareCollapsibleButton.enabled

    # fade, and choose what to compare with
    ui.fadeSlider.setValue(40)
    ui.compareComboBox.setCurrentIndex(1)
    assert names() == ["Head é SR x2"] * 3
    ui.compareComboBox.setCurrentIndex(0)
    assert (names(), places()) == (["Head é"] * 3, before)

    # leave side by side by the layout menu
    ui.sideBySideButton.widget.click()
    assert names()[:2] == ["Head é", "Head é SR x2_1"]
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutConventionalView)
    assert not ui.sideBySideButton.checked
    assert (names(), places()) == (["Head é"] * 3, before)
    assert not views("Red")[1].GetLinkedControl()

    # a double click
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    ui.upscaleButton.widget.click()
    ui.upscaleButton.widget.click()
    serve(lambda: not ui.cancelButton.enabled)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == count + 1
    assert names() == ["Head é SR x2_2"] * 3
