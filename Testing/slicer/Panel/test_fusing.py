"""The purpose "One volume from several scans", driven through the panel's real .ui."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
import slicer.util  # noqa: E402
from panel_bench import QUICK, SLOW  # noqa: E402
from subprocess_worker import alive  # noqa: E402
from SuperResolutionWidgets.Panel.Purpose import Purpose  # noqa: E402

SCANS = [f"scan{number}" for number in range(2, 7)]


@pytest.fixture
def fusing(bench, planes):
    """An open panel with the purpose, its first scan chosen."""
    bench.parameters.device = "cpu"
    bench.open()
    bench.ui.inputSelector.setCurrentNode(planes[0])
    bench.ui.purposeComboBox.setCurrentIndex(list(Purpose).index(Purpose.FUSION))
    bench.command = QUICK
    return bench


@pytest.fixture
def three(fusing, planes):
    """The same with two further scans chosen."""
    fusing.ui.scan2Selector.setCurrentNode(planes[1])
    fusing.ui.scan3Selector.setCurrentNode(planes[2])
    return fusing


def shown(bench, names):
    return [name for name in names if not getattr(bench.ui, name).widget.isHidden()]


def test_the_next_selector_comes_when_one_is_filled_and_only_for_this_purpose(fusing, planes):
    selectors = [f"{scan}Selector" for scan in SCANS]
    assert fusing.ui.purposeComboBox.currentText == "One volume from several scans"
    assert shown(fusing, selectors) == ["scan2Selector"]
    fusing.ui.scan2Selector.setCurrentNode(planes[1])
    assert shown(fusing, selectors) == ["scan2Selector", "scan3Selector"] and fusing.parameters.scan2 is planes[1]
    fusing.ui.purposeComboBox.setCurrentIndex(0)
    assert shown(fusing, selectors) == []


def test_what_does_not_apply_is_out_of_sight_meanwhile(three):
    others = ["qualityComboBox", "modelComboBox", "detailSlider", "regionSelector", "asStoredCheckBox"]
    others += ["thicknessSpinBox", "adaptCheckBox", "addedCheckBox", "spacingSpinBox"]
    three.ui.advancedCollapsibleButton.collapsed = False
    assert shown(three, [*others, "deviceComboBox"]) == ["deviceComboBox"]
    assert not three.ui.previewButton.enabled and not three.ui.liveButton.enabled
    three.ui.purposeComboBox.setCurrentIndex(0)
    assert {"qualityComboBox", "regionSelector", "addedCheckBox"} < set(shown(three, others))
    assert three.ui.previewButton.enabled and three.ui.liveButton.enabled


def test_the_forecast_says_what_is_missing_or_what_comes(fusing, planes):
    assert "two scans or more" in fusing.forecast and not fusing.ui.upscaleButton.enabled
    fusing.ui.scan2Selector.setCurrentNode(planes[0])
    assert "T2 tra is named twice" in fusing.forecast and not fusing.ui.upscaleButton.enabled
    fusing.ui.scan2Selector.setCurrentNode(planes[1])
    assert fusing.forecast.startswith("Result: 24 × 24 × 24 voxels at 1.0 × 1.0 × 1.0 mm, 28 kB\nTakes about 8 s")
    assert fusing.ui.upscaleButton.enabled
    fusing.parameters.outputVolume = planes[1]
    assert "never changed" in fusing.forecast and not fusing.ui.upscaleButton.enabled


def test_upscale_fuses_the_scans_and_the_result_lies_beside_the_first(three, planes, scene):
    before = [slicer.util.arrayFromVolume(node).copy() for node in planes]
    three.run()
    *names, target = [word.replace("\\", "/").rsplit("/", 1)[1] for word in three.arguments[1:5]]
    assert (three.arguments[0], names, target) == ("fuse", ["scan1.nrrd", "scan2.nrrd", "scan3.nrrd"], "output.nrrd")
    assert three.arguments[5:] == ["--no-compression", "--progress", "json", "--device", "cpu"]
    node = slicer.util.getNode("T2 tra SR fused")
    assert three.status.startswith("T2 tra SR fused: done in ")
    for scan, voxels in zip(planes, before):
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(scan), voxels)
    combo = three.ui.compareComboBox
    assert [combo.itemText(n) for n in range(combo.count)] == ["T2 tra", "T2 cor", "T2 sag"]
    assert node.GetNumberOfNodeReferences("SuperResolution.input") == 3
    assert not three.leftovers


def test_cancel_ends_the_worker_and_leaves_scene_and_disk_as_they_were(three, contents):
    before = contents()
    three.command = SLOW
    three.run(until=lambda: "1 of 4" in three.status)
    assert three.status == "T2 tra SR fused: Upscaling, 1 of 4"
    three.click("cancelButton")
    assert not alive(three.workers[-1].process.pid)
    assert three.status == "Cancelled; nothing was changed."
    assert contents() == before and not three.leftovers


def test_a_second_click_is_the_same_run_unless_another_scan_was_chosen_or_changed(three, planes):
    three.command = SLOW
    three.run(until=lambda: "1 of 4" in three.status)
    three.click("upscaleButton")
    assert "is being made already" in three.status
    slicer.util.arrayFromVolumeModified(planes[2])
    three.click("upscaleButton")
    three.ui.scan3Selector.setCurrentNode(None)
    three.click("upscaleButton")
    three.click("upscaleButton")
    assert len(three.panel._runs._waiting) == 2
    three.panel.stop()


def test_a_scan_that_is_removed_before_its_turn_is_named(three, planes, scene):
    three.command = SLOW
    three.run(until=lambda: "1 of 4" in three.status)
    three.ui.scan3Selector.setCurrentNode(None)
    three.click("upscaleButton")
    scene.RemoveNode(planes[1])
    three.command = QUICK
    three.workers[-1].process.kill()
    three.serve()
    assert "T2 cor was removed before its turn" in three.status


def test_a_live_view_ends_when_the_purpose_is_chosen(bench, planes, views):
    bench.parameters.device = "cpu"
    bench.open()
    bench.ui.inputSelector.setCurrentNode(planes[0])
    views("Red")[1].SetBackgroundVolumeID(planes[0].GetID())
    bench.click("liveButton")
    assert bench.ui.liveButton.checked
    bench.ui.purposeComboBox.setCurrentIndex(list(Purpose).index(Purpose.FUSION))
    assert not bench.ui.liveButton.checked and not bench.ui.liveButton.enabled


def test_the_choices_are_kept_with_the_scene(three, planes):
    from pythonqt_stand_ins import StandInParameters

    again = StandInParameters()
    assert again.purpose is Purpose.FUSION
    assert [getattr(again, scan) for scan in SCANS] == [planes[1], planes[2], None, None, None]


def test_the_real_worker_fuses_two_scans(three):
    three.command = None
    three.run()
    node = slicer.util.getNode("T2 tra SR fused")
    assert three.status.startswith("T2 tra SR fused: done in "), three.status
    assert min(node.GetImageData().GetDimensions()) >= 24
    assert slicer.util.arrayFromVolume(node).dtype == np.int16
