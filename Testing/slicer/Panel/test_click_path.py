"""The whole way of a user through the panel, with the real worker, the real scene and the real .ui."""

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
    """Save the scene and its volumes as Slicer does: a .nrrd file a volume, and a .mrml file."""
    scene.SetURL(str(folder / "scene.mrml"))
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetSaveWithScene():
            node.AddDefaultStorageNode()
            storage = node.GetStorageNode()
            storage.SetFileName(str(folder / f"{node.GetID()}.nrrd"))
            assert storage.WriteData(node)
    assert scene.Commit()


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
