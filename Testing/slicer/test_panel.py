"""The panel, driven through its real .ui: what a user sees and what ends up in the scene."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
import slicer.util  # noqa: E402
from pythonqt_stand_ins import StandInParameters, load_panel  # noqa: E402
from subprocess_worker import SubprocessWorker, alive  # noqa: E402
from SuperResolutionWidgets.AcquisitionNote import AcquisitionNote  # noqa: E402
from SuperResolutionWidgets.DeviceCatalog import DeviceCatalog  # noqa: E402
from SuperResolutionWidgets.Forecast import Forecast  # noqa: E402
from SuperResolutionWidgets.InstallError import InstallError  # noqa: E402
from SuperResolutionWidgets.ModelCatalog import ModelCatalog  # noqa: E402
from SuperResolutionWidgets.Panel import Panel  # noqa: E402
from SuperResolutionWidgets.Purpose import Purpose  # noqa: E402
from SuperResolutionWidgets.Quality import Quality  # noqa: E402
from SuperResolutionWidgets.ResultPlacement import ResultPlacement  # noqa: E402
from SuperResolutionWidgets.UpscaleJob import UpscaleJob  # noqa: E402

from SuperResolutionLib.bundles import Model  # noqa: E402


class Bench:
    """A panel on the test scene, with everything that it is given within reach."""

    def __init__(self, folder):
        self.top, self.ui = load_panel()
        self.folder = folder
        self.workers = []
        self.command = None
        self.install_error = None
        self.installs = 0
        self.gpus = ["0, NVIDIA RTX A6000, 49140", "1, NVIDIA T4, 15360"]
        self.gpu_questions = 0
        self.models = ModelCatalog()
        self.parameters = StandInParameters()

    def open(self):
        self.panel = Panel(
            self.ui,
            startJob=self.start_job,
            installer=self,
            placement=ResultPlacement(),
            models=self.models,
            devices=DeviceCatalog(self.list_gpus, platform="linux"),
            forecast=Forecast(),
            acquisition=AcquisitionNote(),
        )
        self.parameters.connectGui(self.ui)
        self.parameters._observers.append(self.panel.refresh)
        self.panel.setParameters(self.parameters)
        return self

    def start_job(self, on_progress, on_finished):
        worker = SubprocessWorker(self.command) if self.command else SubprocessWorker()
        self.workers.append(worker)
        return UpscaleJob(worker, on_progress, on_finished, str(self.folder))

    def ensure(self):
        self.installs += 1
        if self.install_error:
            raise InstallError(self.install_error)

    def list_gpus(self):
        self.gpu_questions += 1
        return self.gpus

    def click(self, name):
        getattr(self.ui, name).widget.click()

    def run(self, until=None):
        self.click("upscaleButton")
        self.workers[-1].pump(until or (lambda: not self.ui.cancelButton.enabled))

    @property
    def forecast(self):
        return self.ui.forecastLabel.text.replace("\u00a0", " ")

    @property
    def status(self):
        return self.ui.statusLabel.text

    @property
    def arguments(self):
        return self.workers[-1].arguments

    @property
    def leftovers(self):
        return list(self.folder.iterdir())


@pytest.fixture
def bench(scene, tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def ready(bench, phantom):
    """An open panel with the phantom chosen, ×2, fast, on the CPU."""
    bench.parameters.inputVolume = phantom
    bench.parameters.purpose = Purpose.TIMES_2
    bench.parameters.quality = Quality.FAST
    bench.parameters.device = "cpu"
    return bench.open()


STEP = '{"event": "progress", "done": 1, "total": 4, "message": "Upscaling"}'
SLOW = (sys.executable, "-c", f"import time; print('{STEP}', flush=True); time.sleep(60)")


def test_without_an_input_the_panel_asks_for_one(bench):
    bench.open()
    assert bench.forecast == "Choose an input volume."
    assert not bench.ui.upscaleButton.enabled
    assert not bench.ui.cancelButton.enabled


def test_choosing_an_input_foretells_the_result_and_enables_upscale(bench, phantom):
    bench.open()
    bench.ui.inputSelector.setCurrentNode(phantom)
    assert bench.forecast == "Result: 96 × 80 × 6 voxels at 0.2 × 0.23 × 3.0 mm, 92 kB"
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
    assert "--as-stored" not in ready.panel._options()
    ready.click("asStoredCheckBox")
    assert ready.parameters.asStored
    assert ready.forecast.endswith("\nStored at 0.45 mm, acquired at 0.9 mm; left as stored.")
    assert "--as-stored" in ready.panel._options()


def test_the_scan_is_looked_at_once_until_its_image_changes(ready, filled, monkeypatch):
    names, looks = AcquisitionNote.text.__globals__, []
    really = names["detect_acquired_band"]
    monkeypatch.setitem(names, "detect_acquired_band", lambda *arguments: looks.append(1) or really(*arguments))
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
    ready.run()
    assert ready.arguments[3:6] == ["--no-compression", "--progress", "json"]
    options = ready.arguments[6:]
    assert options[:6] == ["--factor", "2", "--quality", "best", "--device", "cpu"]
    assert options[6:8] == ["--model", "mri-x2-compact"]
    assert options[8:] == ["--region=18.000000,-23.000000,11.000000,22.000000,-17.000000,19.000000"]
    node = slicer.util.getNode("Phantom SR x2")
    assert "Result: " + " × ".join(map(str, node.GetImageData().GetDimensions())) in ready.forecast


def test_the_window_lives_on_and_shows_progress_while_the_worker_runs(ready):
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    assert ready.status == "Upscaling: 1 of 4"
    assert not ready.ui.progressBar.widget.isHidden()
    assert (ready.ui.progressBar.value, ready.ui.progressBar.maximum) == (1, 4)
    assert not ready.ui.upscaleButton.enabled
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


def test_editing_the_parameters_during_a_run_does_not_allow_a_second_one(ready):
    ready.command = SLOW
    ready.run(until=lambda: "1 of 4" in ready.status)
    ready.parameters.purpose = Purpose.TIMES_4
    assert not ready.ui.upscaleButton.enabled
    ready.panel.onUpscale()
    assert len(ready.workers) == 1
    ready.panel.stop()


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


def test_leaving_while_packages_are_installed_starts_nothing(ready):
    ready.ensure = lambda: ready.panel.setParameters(None)
    ready.panel._installer = ready
    ready.click("upscaleButton")
    assert not ready.workers
    ready.panel.setParameters(ready.parameters)
    assert ready.ui.upscaleButton.enabled


def test_devices_are_looked_for_only_when_advanced_is_opened(ready):
    assert ready.gpu_questions == 0
    assert ready.ui.deviceComboBox.count == 2
    ready.ui.advancedCollapsibleButton.collapsed = False
    ready.ui.advancedCollapsibleButton.collapsed = True
    ready.ui.advancedCollapsibleButton.collapsed = False
    assert ready.gpu_questions == 1
    labels = [ready.ui.deviceComboBox.itemText(n) for n in range(ready.ui.deviceComboBox.count)]
    assert labels == ["Automatic", "CPU", "GPU 0: NVIDIA RTX A6000, 48 GB", "GPU 1: NVIDIA T4, 15 GB"]
    ready.ui.deviceComboBox.setCurrentIndex(3)
    assert ready.parameters.device == "cuda:1"


def test_a_saved_device_is_found_again(bench, phantom):
    bench.parameters.device = "cuda:1"
    bench.open()
    assert bench.ui.deviceComboBox.currentText == "GPU 1: NVIDIA T4, 15 GB"


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


def _model(name, factor, quality, kinds):
    weights = {kind: (f"models/{kind}.safetensors", "") for kind in kinds}
    return Model(name, Path(name), name.title(), factor, "MR", quality, ("CompactNet", {}), 0.3, weights, 0.25)


class TwoModels(ModelCatalog):
    def models(self, factor):
        return [
            _model("plain", factor, "fast", ["fidelity"]),
            _model("rich", factor, "standard", ["fidelity", "perceptual"]),
        ]


def test_detail_is_offered_only_for_a_model_with_both_weight_sets(bench, phantom):
    bench.models = TwoModels()
    bench.parameters.inputVolume = phantom
    bench.open()
    bench.parameters.model = "plain"
    assert bench.ui.detailSlider.widget.isHidden() and bench.ui.detailLabel.widget.isHidden()
    assert "--detail" not in bench.panel._options()
    bench.parameters.model = "rich"
    assert not bench.ui.detailSlider.widget.isHidden()
    assert bench.ui.detailSlider.value == pytest.approx(0.3)
    assert bench.panel._options()[-2:] == ["--detail", "0.3"]


def test_the_users_detail_stays_and_a_new_model_starts_at_its_own(bench, phantom):
    bench.models = TwoModels()
    bench.parameters.inputVolume = phantom
    bench.parameters.model = "rich"
    bench.open()
    bench.ui.detailSlider.value = 0.8
    assert bench.parameters.detail == pytest.approx(0.8)
    bench.panel.setParameters(bench.parameters)
    assert bench.parameters.detail == pytest.approx(0.8)
    bench.parameters.detailModel = "another"
    assert bench.parameters.detail == pytest.approx(0.3)
