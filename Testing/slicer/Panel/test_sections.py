"""The panel, driven through its real .ui: what a user sees and what ends up in the scene."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
import slicer.util  # noqa: E402
from panel_bench import QUICK, SLOW, SLOW_WARM  # noqa: E402
from subprocess_worker import alive  # noqa: E402
from SuperResolutionWidgets.Forecast.RunTimes import RunTimes  # noqa: E402
from SuperResolutionWidgets.Forecast.SurveyedScan import SurveyedScan  # noqa: E402
from SuperResolutionWidgets.Forecast.TimeLeft import TimeLeft  # noqa: E402
from SuperResolutionWidgets.Installation.InstallError import InstallError  # noqa: E402
from SuperResolutionWidgets.Panel.Purpose import Purpose  # noqa: E402
from SuperResolutionWidgets.Panel.Quality import Quality  # noqa: E402
from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement  # noqa: E402
from SuperResolutionWidgets.Scene.VolumeNodes import ijkToWorld, volumeFromNode  # noqa: E402

from SuperResolutionLib.acquisition.survey import survey  # noqa: E402
from SuperResolutionLib.errors import InputError  # noqa: E402
from SuperResolutionLib.geometry.grid import Grid  # noqa: E402
from SuperResolutionLib.upscaling.plan import plan  # noqa: E402
from SuperResolutionLib.upscaling.request import UpscaleRequest  # noqa: E402


def test_without_an_input_the_panel_asks_for_one(bench):
    bench.open()
    assert bench.forecast == "No input volume is chosen; choose the volume to upscale."
    assert not bench.ui.upscaleButton.enabled
    assert not bench.ui.cancelButton.enabled


def test_choosing_an_input_foretells_the_result_and_enables_upscale(bench, phantom):
    bench.open()
    bench.ui.inputSelector.setCurrentNode(phantom)
    assert bench.forecast == (
        "Result: 96 × 80 × 6 voxels at 0.2 × 0.23 × 3.0 mm, 92 kB\nTakes about 8 s (a first guess) and 600 MB of memory"
    )
    assert bench.ui.upscaleButton.enabled


def test_choosing_what_to_do_changes_the_forecast(bench, phantom):
    bench.open()
    bench.ui.inputSelector.setCurrentNode(phantom)
    bench.ui.purposeComboBox.setCurrentIndex(0)
    assert bench.parameters.purpose is Purpose.TIMES_2
    assert "48 × 40 × 6" in bench.forecast


@pytest.fixture
def filled(scene):
    """A volume node of 96 x 96 x 2 voxels of 0.45 mm whose k-space was acquired at half of that, noise in it."""
    random = np.random.default_rng(0)
    spectrum = np.zeros((2, 96, 96), complex)
    j, i = np.mgrid[-24:24, -24:24] + 0.5
    decay = 1 / (1 + np.hypot(i, j)) ** 1.5
    spectrum[:, 24:72, 24:72] = decay * (random.normal(size=(2, 48, 48)) + 1j * random.normal(size=(2, 48, 48)))
    spectrum[:, 48, 48] = 60
    voxels = np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(1, 2))))
    voxels = np.rint(900 * voxels / voxels.max()).astype(np.int16)
    return slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.diag([0.45, 0.45, 3, 1]), name="Filled")


def test_a_zero_filled_scan_is_told_and_can_be_left_as_stored(ready, filled):
    assert "acquired" not in ready.forecast
    ready.ui.inputSelector.setCurrentNode(filled)
    assert ready.forecast.endswith("\nStored at 0.45 mm, acquired at 0.9 mm; upscaled from the acquired band.")
    assert "--as-stored" not in ready.options
    ready.click("asStoredCheckBox")
    assert ready.parameters.asStored
    assert ready.forecast.endswith("\nStored at 0.45 mm, acquired at 0.9 mm; left as stored.")
    assert "--as-stored" in ready.options


def test_the_scan_is_looked_at_once_until_its_image_changes(ready, filled, monkeypatch):
    names, looks = SurveyedScan.survey.__globals__, []
    really = names["survey"]
    monkeypatch.setitem(names, "survey", lambda volume: looks.append(1) or really(volume))
    ready.ui.inputSelector.setCurrentNode(filled)
    ready.parameters.purpose = Purpose.TIMES_4
    assert len(looks) == 1
    slicer.util.arrayFromVolume(filled)[:] = 5
    slicer.util.arrayFromVolumeModified(filled)
    ready.panel.refresh()
    assert len(looks) == 2 and "acquired" not in ready.forecast


def test_a_node_without_voxels_is_named_instead_of_a_forecast(bench, scene):
    bench.open()
    bench.ui.inputSelector.setCurrentNode(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty"))
    assert "Empty holds no voxels" in bench.forecast
    assert not bench.ui.upscaleButton.enabled


def test_the_input_as_output_is_refused_before_the_run(ready, phantom):
    ready.parameters.outputVolume = phantom
    assert "never changed" in ready.forecast
    assert not ready.ui.upscaleButton.enabled


def test_upscale_runs_the_command_line_and_the_result_is_in_the_scene(ready, phantom, scene):
    before = slicer.util.arrayFromVolume(phantom).copy()
    ready.run()
    node = slicer.util.getNode("Phantom SR x2")
    assert node.GetImageData().GetDimensions() == (48, 40, 6)
    assert slicer.util.arrayFromVolume(node).dtype == np.int16
    bounds, wanted = np.zeros(6), np.zeros(6)
    node.GetRASBounds(bounds)
    phantom.GetRASBounds(wanted)
    np.testing.assert_allclose(bounds, wanted, atol=1e-6)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(phantom), before)
    assert node.GetAttribute("SuperResolution.Device") == "cpu"
    assert ready.status.startswith("Phantom SR x2: done in ")
    assert not ready.leftovers
    assert ready.ui.upscaleButton.enabled


def test_the_result_fills_the_chosen_output(ready, scene):
    output = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Mine")
    ready.parameters.outputVolume = output
    ready.run()
    assert output.GetImageData().GetDimensions() == (48, 40, 6)


def test_a_second_run_makes_a_second_result(ready, scene):
    ready.run()
    ready.run()
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 3


def test_the_users_choices_reach_the_command_line(ready, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    roi.SetSize(4, 6, 8)
    roi.SetCenter(20, -20, 15)
    ready.parameters.region = roi
    ready.parameters.model = "mri-x2-compact"
    ready.parameters.quality = Quality.BEST
    ready.parameters.detail = 0.25
    ready.run()
    assert ready.arguments[3:6] == ["--no-compression", "--progress", "json"]
    options = ready.arguments[6:]
    assert options[:6] == ["--factor", "2", "--quality", "best", "--device", "cpu"]
    assert options[6:10] == ["--model", "mri-x2-compact", "--detail", "0.25"]
    volume = volumeFromNode(ready.parameters.inputVolume)
    first, last = Grid.of(volume).box_of_region((18, -23, 11, 22, -17, 19))
    assert options[10:] == ["--box", ",".join(map(str, (*first, *last)))]
    node = slicer.util.getNode("Phantom SR x2")
    assert "Result: " + " × ".join(map(str, node.GetImageData().GetDimensions())) in ready.forecast


def test_the_window_lives_on_and_shows_progress_while_the_worker_runs(ready):
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    assert ready.status == "Phantom SR x2: Upscaling, 1 of 4"
    assert not ready.ui.progressBar.widget.isHidden()
    assert (ready.ui.progressBar.value, ready.ui.progressBar.maximum) == (1, 4)
    assert not ready.ui.previewButton.enabled
    assert ready.ui.cancelButton.enabled
    ready.panel.stop()


def test_cancel_ends_the_worker_and_leaves_scene_and_disk_as_they_were(ready, contents):
    before = contents()
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    ready.click("cancelButton")
    assert not alive(ready.workers[-1].process.pid)
    assert ready.status == "Cancelled; nothing was changed."
    assert contents() == before
    assert not ready.leftovers
    assert ready.ui.upscaleButton.enabled
    assert not ready.ui.cancelButton.enabled
    assert ready.ui.progressBar.widget.isHidden()


def test_a_run_after_a_cancelled_one_works(ready):
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    ready.click("cancelButton")
    ready.command = None
    ready.run()
    assert "done in" in ready.status


def test_a_refusal_of_the_engine_is_shown_in_its_own_words(ready, contents):
    before = contents()
    ready.parameters.device = "cuda:1"
    ready.gpus = []
    ready.command = (
        sys.executable,
        "-c",
        """print('{"event": "error", "kind": "input", "message": "There is no device cuda:1 here."}'); exit(2)""",
    )
    ready.run()
    assert ready.status == "There is no device cuda:1 here."
    assert contents() == before
    assert not ready.leftovers


def test_a_crash_is_told_with_its_last_lines_and_leaves_nothing(ready, contents):
    before = contents()
    ready.command = (
        sys.executable,
        "-c",
        "import os, sys; print('Killed: 9', file=sys.stderr, flush=True); os.abort()",
    )
    ready.run()
    sentence, *log = ready.status.splitlines()
    assert "ended unexpectedly" in sentence
    assert "Killed: 9" in log
    assert contents() == before
    assert not ready.leftovers
    assert ready.ui.upscaleButton.enabled


@pytest.mark.parametrize(
    "fault, sentence", [(MemoryError, "does not fit into memory"), (RuntimeError, "could not be placed in the scene")]
)
def test_a_result_that_cannot_be_placed_is_told_and_the_next_run_goes_on(ready, monkeypatch, fault, sentence):
    def place(*arguments, **options):
        monkeypatch.undo()
        raise fault

    monkeypatch.setattr(ResultPlacement, "place", place)
    ready.click("upscaleButton")
    ready.ui.detailSlider.value = 0.5
    ready.click("upscaleButton")
    try:
        ready.workers[0].pump(lambda: len(ready.workers) == 2)
    except RuntimeError:
        assert fault is RuntimeError
    ready.serve()
    assert sentence in ready.status.splitlines()[0]
    assert slicer.util.getNode("Phantom SR x2") is not None


def test_closing_the_scene_ends_the_run(ready):
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    ready.panel.stop()
    ready.panel.setParameters(None)
    assert not alive(ready.workers[-1].process.pid)
    assert not ready.leftovers
    assert not ready.ui.upscaleButton.enabled


def test_a_run_goes_on_while_the_user_is_in_another_module(ready):
    ready.click("upscaleButton")
    ready.panel.setParameters(None)
    ready.workers[-1].pump(lambda: not ready.ui.cancelButton.enabled)
    assert slicer.util.getNode("Phantom SR x2") is not None
    assert not ready.ui.upscaleButton.enabled


@pytest.fixture
def second(phantom):
    """Another volume node, 12 x 10 x 3 voxels."""
    voxels = slicer.util.arrayFromVolume(phantom)[::2, ::2, ::2]
    return slicer.util.addVolumeFromArray(voxels.copy(), ijkToRAS=np.diag([1.6, 1.8, 6, 1]), name="Second")


def test_a_second_volume_waits_for_the_first_and_both_arrive_as_they_were_asked_for(ready, second):
    ready.click("upscaleButton")
    ready.ui.inputSelector.setCurrentNode(second)
    ready.ui.purposeComboBox.setCurrentIndex(1)
    assert ready.ui.upscaleButton.enabled
    ready.click("upscaleButton")
    ready.ui.purposeComboBox.setCurrentIndex(0)
    assert len(ready.workers) == 1
    ready.workers[0].pump(lambda: len(ready.workers) == 2)
    assert ready.status.startswith("Phantom SR x2: done in ")
    assert "Second SR x4: starting" in ready.status
    ready.serve()
    assert slicer.util.getNode("Phantom SR x2").GetImageData().GetDimensions() == (48, 40, 6)
    assert slicer.util.getNode("Second SR x4").GetImageData().GetDimensions() == (48, 40, 3)
    assert [line.split(":")[0] for line in ready.status.splitlines()] == ["Phantom SR x2", "Second SR x4"]
    assert not ready.leftovers


def test_the_panel_tells_how_many_runs_wait(ready):
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    for quality in (Quality.STANDARD, Quality.BEST):
        ready.parameters.quality = quality
        ready.click("upscaleButton")
    ready.panel._runs._showProgress(ready.panel._choices.task(), TimeLeft(), 2, 4, "Upscaling")
    assert ready.status == "Phantom SR x2: Upscaling, 2 of 4\n2 more waiting"
    ready.panel.stop()


def test_cancel_ends_the_waiting_runs_too(ready, contents):
    before = contents()
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    ready.parameters.quality = Quality.STANDARD
    ready.click("upscaleButton")
    ready.click("cancelButton")
    assert len(ready.workers) == 1
    assert not ready.running
    assert contents() == before


def test_a_waiting_volume_that_was_removed_is_named_and_the_next_one_goes_on(ready, second, scene):
    ready.click("upscaleButton")
    for node in (second, ready.parameters.inputVolume):
        ready.ui.detailSlider.value = 0.5
        ready.parameters.inputVolume = node
        ready.click("upscaleButton")
    scene.RemoveNode(second)
    ready.workers[0].pump(lambda: len(ready.workers) == 2)
    ready.serve()
    lines = ready.status.splitlines()
    assert lines[1] == "Second was removed before its turn; it was not upscaled."
    assert lines[2].startswith("Phantom SR x2")
    assert len(lines) == 3


def test_a_crash_does_not_stop_the_waiting_runs(ready):
    ready.command = (sys.executable, "-c", "import os; os.abort()")
    ready.click("upscaleButton")
    ready.command = None
    ready.ui.detailSlider.value = 0.5
    ready.click("upscaleButton")
    ready.workers[0].pump(lambda: len(ready.workers) == 2)
    ready.serve()
    assert "ended unexpectedly" in ready.status.splitlines()[0]
    assert slicer.util.getNode("Phantom SR x2") is not None


def test_the_input_may_go_during_the_run(ready, phantom, scene):
    ready.click("upscaleButton")
    ready.parameters.inputVolume = None
    scene.RemoveNode(phantom)
    ready.workers[-1].pump(lambda: not ready.ui.cancelButton.enabled)
    assert slicer.util.getNode("Phantom SR x2").GetImageData().GetDimensions() == (48, 40, 6)


def test_packages_are_asked_for_at_the_first_click_only(ready):
    assert ready.installs == 0
    ready.install_error = "The PyTorch extension is missing; install it in the Extensions Manager."
    ready.click("upscaleButton")
    assert ready.installs == 1
    assert ready.status == ready.install_error
    assert not ready.workers
    assert ready.ui.upscaleButton.enabled


def test_while_packages_are_installed_each_step_is_told_and_the_user_may_cancel(ready):
    def ensure(tell, cancelled):
        tell("Installing PyTorch, which takes some minutes…")
        assert ready.status == "Installing PyTorch, which takes some minutes…"
        assert not ready.ui.progressBar.widget.isHidden() and not ready.ui.upscaleButton.enabled
        assert not cancelled()
        ready.click("cancelButton")
        assert ready.status.endswith("\nCancelling after this step…")
        assert cancelled()
        raise InstallError("The installation was cancelled.")

    ready.ensure = ensure
    ready.click("upscaleButton")
    assert ready.status == "The installation was cancelled."
    assert not ready.workers and not ready.running and ready.ui.progressBar.widget.isHidden()


@pytest.fixture
def played(ready, phantom, scene):
    """The panel whose input shows the current one of three volumes of a sequence, Perfusion, in a browser."""
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "Perfusion")
    for number in range(3):
        slicer.util.arrayFromVolume(phantom)[:] += 10 * number
        sequence.SetDataNodeAtValue(phantom, str(number))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    ready.sequences_logic.UpdateProxyNodesFromSequences(browser)
    assert ready.ui.sequenceCheckBox.widget.isHidden()
    ready.top.show()
    ready.ui.inputSelector.setCurrentNode(browser.GetProxyNode(sequence))
    return ready


@pytest.mark.parametrize("worker", [QUICK, None], ids=["quick worker", "command line"])
def test_a_volume_of_a_sequence_offers_the_whole_sequence(played, scene, views, worker):
    assert not played.ui.sequenceCheckBox.widget.isHidden()
    assert played.ui.sequenceCheckBox.text == "The whole sequence, 3 volumes"
    assert "Result: 48 × 40 × 6 voxels" in played.forecast
    played.click("addedCheckBox")
    played.click("sequenceCheckBox")
    assert "Result: 3 volumes of 48 × 40 × 6 voxels" in played.forecast
    views("Red")[1].SetBackgroundVolumeID(played.parameters.inputVolume.GetID())
    played.command = worker
    played.run(until=lambda: "Perfusion SR x2: volume 2 of 3" in played.status)
    assert played.ui.progressBar.value > 0 and played.ui.progressBar.maximum % 3 == 0
    played.serve()
    assert played.status.startswith("Perfusion SR x2: done in ")
    fine = slicer.util.getNodesByClass("vtkMRMLSequenceNode")[-1]
    assert fine.GetName() == "Perfusion SR x2"
    assert (fine.GetNumberOfDataNodes(), fine.GetNthIndexValue(2)) == (3, "2")
    assert fine.GetNthDataNode(2).GetImageData().GetDimensions() == (48, 40, 6)
    shown = scene.GetNodeByID(views("Red")[1].GetBackgroundVolumeID())
    assert shown.GetImageData().GetDimensions() == (48, 40, 6)
    assert len(played.workers) == 1 and not played.leftovers


def test_a_sequence_that_fails_leaves_nothing_and_says_at_which_volume(played, contents):
    before = contents()
    played.click("sequenceCheckBox")
    event = {"event": "file", "number": 1, "name": "a", "state": "failed", "message": "It is a mask.", "report": None}
    played.command = (sys.executable, "-c", f"print({json.dumps(event)!r}); exit(1)")
    played.run()
    assert played.status == "Volume 1 of 3: It is a mask."
    assert contents() == before and not played.leftovers


def test_a_preview_shows_the_current_volume_of_a_sequence(played, monkeypatch):
    asked, submit = [], played.warm.submit
    monkeypatch.setattr(played.warm, "submit", lambda job: (asked.append(job.options), submit(job)))
    played.click("sequenceCheckBox")
    played.command = SLOW_WARM
    played.run("previewButton", until=lambda: "1 of 4" in played.status)
    assert len(asked) == 1 and "--box" in asked[0]
    played.panel.stop()


def test_a_fault_looks_different_and_can_be_taken_away(ready):
    assert ready.ui.dismissButton.widget.isHidden()
    ready.install_error = "Upscaling needs monai."
    ready.click("upscaleButton")
    assert ready.ui.statusLabel.styleSheet
    ready.click("dismissButton")
    assert ready.status == "" and ready.ui.dismissButton.widget.isHidden()
    ready.install_error, ready.command = None, QUICK
    ready.run()
    assert ready.status and not ready.ui.statusLabel.styleSheet


def test_a_message_that_packages_are_missing_goes_once_they_are_there(ready):
    ready.built = None
    ready.ui.advancedCollapsibleButton.collapsed = False
    ready.parameters.device = "auto"
    assert ready.ui.deviceNoteLabel.text.startswith("PyTorch is not installed yet")
    ready.install_error = "safetensors must be installed"
    ready.click("upscaleButton")
    ready.built = "cuda"
    ready.panel.onPackagesInstalled()
    assert ready.status == ""
    assert ready.ui.deviceNoteLabel.text == "Runs on GPU 0: NVIDIA RTX A6000, 44 of 48 GB free."
    assert (ready.ui.deviceComboBox.count, ready.parameters.device) == (4, "auto")


def test_leaving_while_packages_are_installed_starts_nothing(ready):
    ready.ensure = lambda tell, cancelled: ready.panel.setParameters(None)
    ready.panel._installer = ready
    ready.click("upscaleButton")
    assert not ready.workers
    ready.panel.setParameters(ready.parameters)
    assert ready.ui.upscaleButton.enabled


def test_devices_are_looked_for_only_when_advanced_is_opened(ready):
    assert ready.gpu_questions == 0
    assert ready.ui.deviceComboBox.count == 2
    assert ready.ui.deviceNoteLabel.widget.isHidden()
    ready.ui.advancedCollapsibleButton.collapsed = False
    ready.ui.advancedCollapsibleButton.collapsed = True
    ready.ui.advancedCollapsibleButton.collapsed = False
    assert ready.gpu_questions == 1
    labels = [ready.ui.deviceComboBox.itemText(n) for n in range(ready.ui.deviceComboBox.count)]
    assert labels == ["Automatic", "CPU", "GPU 0: RTX A6000, 44 GB free", "GPU 1: T4, 15 GB free"]
    assert ready.ui.deviceNoteLabel.text == "Runs on the CPU, as you chose."
    ready.ui.deviceComboBox.setCurrentIndex(3)
    assert ready.parameters.device == "cuda:1"
    assert ready.ui.deviceNoteLabel.text == "Runs on GPU 1: NVIDIA T4, 15 of 15 GB free."


def test_a_saved_device_is_found_again(bench, phantom):
    bench.parameters.device = "cuda:1"
    bench.open()
    assert bench.ui.deviceComboBox.currentText == "GPU 1: T4, 15 GB free"


def test_a_device_or_model_of_another_computer_falls_back_to_automatic(bench, phantom):
    bench.parameters.device, bench.parameters.model = "cuda:7", "elsewhere"
    bench.open()
    assert (bench.parameters.device, bench.parameters.model) == ("auto", "")
    assert bench.ui.deviceComboBox.currentText == "Automatic"


def test_only_models_of_the_chosen_factor_are_offered(ready):
    combo = ready.ui.modelComboBox
    names = [combo.itemData(n) for n in range(combo.count)]
    assert names[0] == "" and "mri-x2-compact" in names and "mri-x4-compact" not in names
    combo.setCurrentIndex(names.index("mri-x2-compact"))
    assert ready.parameters.model == "mri-x2-compact"
    ready.parameters.purpose = Purpose.TIMES_4
    assert ready.parameters.model == ""
    assert combo.currentIndex == 0


def test_the_model_is_described_in_one_line(ready):
    assert ready.ui.modelDescriptionLabel.text.startswith("mri-x2-compact: for MRI, pixels 2 times finer; small")
    ready.parameters.purpose = Purpose.SPACING
    ready.parameters.model = "mri-x4-compact"
    assert ready.ui.modelDescriptionLabel.text.startswith("mri-x4-compact: ")


def test_the_size_of_a_pixel_is_asked_only_where_it_is_chosen(ready):
    parts = [ready.ui.spacingLabel, ready.ui.spacingSpinBox]
    assert all(part.widget.isHidden() for part in parts)
    ready.ui.purposeComboBox.setCurrentIndex(3)
    assert not any(part.widget.isHidden() for part in parts)
    ready.ui.spacingSpinBox.value = 0.3
    assert ready.parameters.spacing == pytest.approx(0.3)
    assert "64 × 60 × 6 voxels at 0.3 × 0.3 × 3.0 mm" in ready.forecast
    assert ready.options[:2] == ["--spacing", "0.3"]


def test_a_chosen_size_makes_a_result_of_that_size(ready):
    ready.parameters.purpose = Purpose.SPACING
    ready.parameters.spacing = 0.5
    ready.run()
    node = slicer.util.getNode("Phantom SR 0.5 mm")
    np.testing.assert_allclose(node.GetSpacing(), (0.5, 0.5, 3), rtol=1e-9)
    assert " × ".join(map(str, node.GetImageData().GetDimensions())) in ready.forecast


def test_a_size_that_is_no_finer_is_refused_before_the_run(ready):
    ready.parameters.purpose = Purpose.SPACING
    ready.parameters.spacing = 2.0
    assert "choose a target spacing that is finer than that" in ready.forecast
    assert not ready.ui.upscaleButton.enabled
    assert not ready.ui.previewButton.enabled


def test_thickness_and_adaptation_are_offered_where_slices_are_added(ready):
    ready.ui.advancedCollapsibleButton.collapsed = False
    parts = [ready.ui.thicknessLabel, ready.ui.thicknessSpinBox, ready.ui.adaptCheckBox]
    ready.panel.refresh()
    assert all(part.widget.isHidden() for part in parts)
    ready.parameters.thickness, ready.parameters.adapt = 4.5, True
    assert "--thickness" not in ready.options and "--adapt" not in ready.options
    ready.parameters.purpose = Purpose.ISOTROPIC
    assert not any(part.widget.isHidden() for part in parts)
    assert ready.options[0] == "--isotropic"
    assert ready.options[-3:] == ["--thickness", "4.5", "--adapt"]
    assert ready.panel._choices.task().addsSlices
    ready.ui.thicknessSpinBox.value = 40
    assert ready.forecast.startswith("A slice thickness of 40 mm does not go with slices that are 3 mm apart; ")
    assert not ready.ui.upscaleButton.enabled
    assert not any(part.widget.isHidden() for part in parts)
    ready.parameters.thickness, ready.parameters.adapt = 0.0, False
    assert ready.ui.thicknessSpinBox.text == "From the scan"
    assert "--thickness" not in ready.options and "--adapt" not in ready.options


def test_a_refused_purpose_shows_the_engines_sentence(ready):
    ready.parameters.purpose = Purpose.ISOTROPIC
    volume = volumeFromNode(ready.parameters.inputVolume)
    try:
        plan(survey(volume), UpscaleRequest(factor=None, isotropic=True, quality="fast"))
    except InputError as error:
        assert ready.forecast == str(error)
        assert not ready.ui.upscaleButton.enabled
    else:
        assert ready.ui.upscaleButton.enabled


def test_a_new_region_gets_a_box_in_the_views(ready, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    ready.parameters.region = roi
    # Around the middle of the scan, which is oblique, turned as that is, half as long: 24 x 20 x 6 voxels.
    matrix = ijkToWorld(ready.parameters.inputVolume)
    axes = slicer.util.arrayFromVTKMatrix(roi.GetObjectToWorldMatrix())
    np.testing.assert_allclose(np.abs(axes[:3, :3].T @ matrix[:3, :3]), np.diag([0.8, 0.9, 3]), atol=1e-9)
    np.testing.assert_allclose(axes[:3, 3], (matrix @ [11.5, 9.5, 2.5, 1])[:3])
    np.testing.assert_allclose(roi.GetSize(), (9.6, 9, 9))
    assert np.linalg.det(axes) == pytest.approx(1)
    assert "24 × 20 × 4 voxels" in ready.forecast
    assert not roi.GetDisplayNode().GetFillVisibility()
    assert roi.GetDisplayNode().GetVisibility()
    assert ready.ui.upscaleButton.enabled


def test_the_forecast_follows_the_box_while_it_is_dragged(ready, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    ready.parameters.region = roi
    before = ready.forecast
    roi.SetSize(4, 6, 8)
    assert ready.forecast != before
    ready.panel.setParameters(None)
    shown = ready.forecast
    roi.SetSize(8, 6, 8)
    assert ready.forecast == shown


def test_the_box_is_gone_with_the_whole_volume_and_hidden_while_volumes_are_compared(ready, phantom, scene, views):
    ready.command = QUICK
    ready.run()
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    ready.parameters.region = roi
    visible = roi.GetDisplayNode().GetVisibility
    ready.click("sideBySideButton")
    assert not visible()
    ready.click("sideBySideButton")
    assert visible()
    ready.ui.fadeSlider.setValue(50)
    assert not visible()
    ready.ui.fadeSlider.setValue(100)
    assert visible()
    ready.parameters.region = None
    assert not visible()
    ready.parameters.region = roi
    assert visible()


def test_a_region_that_the_user_hides_stays_hidden(ready, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    ready.parameters.region = roi
    roi.GetDisplayNode().SetVisibility(False)
    ready.parameters.purpose = Purpose.TIMES_4
    assert not roi.GetDisplayNode().GetVisibility()


def test_the_time_is_learned_from_a_run(ready, monkeypatch):
    monkeypatch.setattr(RunTimes, "SMALLEST_MEGAVOXELS", 0)
    assert "a first guess" in ready.forecast
    ready.run()
    assert "Takes about" in ready.forecast and "a first guess" not in ready.forecast
    ready.parameters.purpose = Purpose.TIMES_4
    assert "a first guess" in ready.forecast


def test_what_was_added_and_the_expected_error_come_as_volumes_of_their_own(ready, scene):
    diverging = slicer.vtkMRMLColorTableNode()
    diverging.SetTypeToUser()
    diverging.SetSingletonTag("FileDivergingBlueRed.txt")
    scene.AddNode(diverging)
    ready.click("addedCheckBox")
    ready.click("errorCheckBox")
    ready.run()
    result = slicer.util.getNode("Phantom SR x2")
    added, error = (slicer.util.getNode(f"Phantom SR x2 {kind}") for kind in ("added", "error"))
    assert result.GetNodeReference("SuperResolution.added") is added
    assert result.GetNodeReference("SuperResolution.error") is error
    for node in (added, error):
        assert node.GetImageData().GetDimensions() == (48, 40, 6)
        assert slicer.util.arrayFromVolume(node).dtype == np.float32
    assert added.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeFileDivergingBlueRed.txt"
    assert added.GetDisplayNode().GetLevel() == 0 < added.GetDisplayNode().GetWindow()
    assert error.GetDisplayNode().GetWindow() == 2 * error.GetDisplayNode().GetLevel() > 0
    assert not ready.leftovers


def test_a_path_with_spaces_accents_and_200_characters_works(ready, tmp_path):
    folder = tmp_path / "Größe é 病" / "long folder name "
    folder = folder.with_name(folder.name + "x" * (200 - len(str(folder))))
    folder.mkdir(parents=True)
    ready.folder = folder
    ready.run()
    assert len(str(folder)) >= 200
    assert slicer.util.getNode("Phantom SR x2") is not None
    assert not ready.leftovers


@pytest.fixture
def detail_parts(ready):
    ready.ui.advancedCollapsibleButton.collapsed = False
    return [ready.ui.detailSlider, ready.ui.detailLabel, ready.ui.detailEndsWidget]


def test_detail_is_offered_only_for_a_model_with_both_weight_sets(ready, detail_parts):
    assert not any(part.widget.isHidden() for part in detail_parts)
    assert ready.options[-2:] == ["--detail", "0"]
    ready.parameters.purpose = Purpose.ISOTROPIC
    assert all(part.widget.isHidden() for part in detail_parts)
    assert "--detail" not in ready.options


def test_the_users_detail_stays_and_a_new_model_starts_at_its_own(ready):
    ready.ui.detailSlider.value = 0.8
    assert ready.parameters.detail == pytest.approx(0.8)
    ready.panel.setParameters(ready.parameters)
    assert ready.parameters.detail == pytest.approx(0.8)
    ready.parameters.detailModel = "another"
    assert ready.parameters.detail == 0


def test_the_model_and_the_detail_are_those_of_the_plan_where_the_pixels_size_decides(ready, detail_parts):
    ready.parameters.purpose = Purpose.SPACING
    ready.parameters.spacing = 0.5
    assert ready.ui.modelDescriptionLabel.text.startswith("mri-x2-compact: ")
    assert not any(part.widget.isHidden() for part in detail_parts)
    ready.ui.detailSlider.value = 0.25
    assert ready.options[-2:] == ["--detail", "0.25"]
    ready.parameters.spacing = 0.3
    assert ready.ui.modelDescriptionLabel.text.startswith("mri-x4-compact: ")


def test_a_double_click_makes_one_result(ready, scene):
    ready.command = QUICK
    ready.click("upscaleButton")
    ready.click("upscaleButton")
    assert ready.status == "Phantom SR x2 is being made already."
    ready.serve()
    assert len(ready.workers) == 1
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2


def test_other_voxels_of_the_same_volume_are_another_run(ready, phantom, scene):
    ready.command = QUICK
    ready.click("upscaleButton")
    slicer.util.arrayFromVolume(phantom)[0] += 1
    slicer.util.arrayFromVolumeModified(phantom)
    ready.click("upscaleButton")
    ready.workers[0].pump(lambda: len(ready.workers) == 2)
    ready.serve()
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 3


def test_what_was_told_of_one_volume_goes_when_another_is_chosen(ready, second):
    ready.command = QUICK
    ready.run()
    ready.panel.setParameters(None)
    ready.panel.setParameters(ready.parameters)
    assert ready.status.startswith("Phantom SR x2: done in ")
    ready.ui.inputSelector.setCurrentNode(second)
    assert ready.status == "" and ready.ui.statusLabel.widget.isHidden()


def test_what_was_told_of_a_run_that_ended_while_the_user_was_elsewhere_is_there_on_return(ready):
    ready.command = QUICK
    ready.click("upscaleButton")
    ready.panel.setParameters(None)
    ready.serve()
    ready.panel.setParameters(ready.parameters)
    assert ready.status.startswith("Phantom SR x2: done in ")


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_the_panel_follows_an_input_whose_voxels_come_late_and_whose_place_changes(bench, scene, dtype):
    bench.open()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Late")
    bench.ui.inputSelector.setCurrentNode(node)
    assert "holds no voxels" in bench.forecast
    slicer.util.updateVolumeFromArray(node, np.random.default_rng(0).integers(0, 900, (6, 20, 24)).astype(dtype))
    assert "96 × 80 × 6 voxels" in bench.forecast and bench.ui.upscaleButton.enabled
    node.SetSpacing(0.8, 0.8, 4)
    assert "0.2 × 0.2 × 4.0 mm" in bench.forecast
    bench.panel.setParameters(None)
    shown = bench.forecast
    node.SetSpacing(1, 1, 1)
    assert bench.forecast == shown


def test_an_isotropic_scan_is_not_made_isotropic_again(ready, phantom):
    phantom.SetSpacing(1.0, 1.0, 1.02)
    ready.parameters.purpose = Purpose.ISOTROPIC
    assert ready.forecast.startswith("The volume is isotropic already but for a few per cent")
    assert not ready.ui.upscaleButton.enabled


def test_what_came_with_a_result_is_refused_and_a_result_is_warned_of(ready):
    ready.command = QUICK
    ready.click("addedCheckBox")
    ready.run()
    ready.ui.inputSelector.setCurrentNode(slicer.util.getNode("Phantom SR x2"))
    assert "Phantom SR x2 is a result itself: what was predicted" in ready.forecast
    assert ready.ui.upscaleButton.enabled
    ready.ui.inputSelector.setCurrentNode(slicer.util.getNode("Phantom SR x2 added"))
    assert ready.forecast == "Phantom SR x2 added shows what was added to a scan; choose the scan instead."
    assert not ready.ui.upscaleButton.enabled


def test_a_pet_is_told_before_the_run_that_the_network_learned_from_mri(ready, phantom):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    hierarchy.SetItemAttribute(hierarchy.CreateItem(hierarchy.GetSceneItemID(), phantom), name, "PT")
    ready.panel.refresh()
    assert "The model mri-x2-compact was trained on MR, and this is PT." in ready.forecast
