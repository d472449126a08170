"""A panel with its real .ui on the test scene, and everything that it is given within reach."""

import sys
from pathlib import Path

import slicer
from pythonqt_stand_ins import StandInParameters, load_panel
from subprocess_worker import SubprocessWorker, pump
from SuperResolutionWidgets.Forecast.Forecaster import Forecaster
from SuperResolutionWidgets.Forecast.RunTimes import RunTimes
from SuperResolutionWidgets.Forecast.SurveyedScan import SurveyedScan
from SuperResolutionWidgets.Installation.InstallError import InstallError
from SuperResolutionWidgets.Panel.DeviceCatalog import DeviceCatalog
from SuperResolutionWidgets.Panel.ModelCatalog import ModelCatalog
from SuperResolutionWidgets.Panel.Sections import Panel
from SuperResolutionWidgets.Panel.widgetsByParameter import widgetsByParameter
from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement
from SuperResolutionWidgets.Scene.SequencePlacement import SequencePlacement
from SuperResolutionWidgets.Worker.UpscaleJob import UpscaleJob
from SuperResolutionWidgets.Worker.WarmWorker import WarmWorker

STEP = '{"event": "progress", "done": 1, "total": 4, "message": "Upscaling"}'
SLOW = (sys.executable, "-c", f"import time; print('{STEP}', flush=True); time.sleep(60)")
"""A worker that makes one step and then none."""
SLOW_WARM = (
    sys.executable,
    "-c",
    "import json, sys, tempfile, time; folder = tempfile.mkdtemp(dir=sys.argv[3]);"
    " print(json.dumps({'event': 'ready', 'folder': folder}), flush=True);"
    f" sys.stdin.readline(); print('{STEP}', flush=True); time.sleep(60)",
)
"""The same, of a worker that stays."""
QUICK = (sys.executable, str(Path(__file__).with_name("quick_worker.py")))
"""A worker that repeats voxels."""


class StandInSettings(dict):
    """Slicer's settings: ``value`` and ``setValue`` as QSettings has them."""

    value = dict.get
    setValue = dict.__setitem__


class PanelBench:
    """Also stands in for the installer: ``installs`` counts, ``install_error`` is what it refuses with."""

    def __init__(self, folder):
        self.top, self.ui = load_panel()
        self.folder = folder
        self.workers = []
        self.command = None
        self.warm = WarmWorker(self.new_worker, str(folder))
        self.install_error = None
        self.installs = 0
        self.gpus = ["0, NVIDIA RTX A6000, 45056, 49140", "1, NVIDIA T4, 15100, 15360"]
        self.gpu_questions = 0
        self.built = "cuda"
        self.models = ModelCatalog()
        self.settings = StandInSettings()
        self.parameters = StandInParameters()
        self.sequences_logic = slicer.vtkSlicerSequencesLogic()
        self.sequences_logic.SetMRMLScene(slicer.mrmlScene)

    def open(self):
        run_times = RunTimes(self.settings, cores=2)
        self.panel = Panel(
            self.ui,
            startJob=self.start_job,
            warmWorker=self.warm,
            installer=self,
            placement=ResultPlacement(),
            sequences=SequencePlacement(self.sequences_logic),
            models=self.models,
            devices=DeviceCatalog(self.list_gpus, lambda: self.built, platform="linux"),
            forecast=Forecaster(run_times),
            runTimes=run_times,
            scan=SurveyedScan(),
            whenQuiet=lambda function: function,
        )
        self.attach()
        return self

    def attach(self):
        """Bind the parameters to the widgets and the panel, as the module's widget does."""
        self.parameters.connectParametersToGui(widgetsByParameter(self.ui))
        self.parameters._observers.append(self.panel.refresh)
        self.panel.setParameters(self.parameters)

    def new_worker(self):
        self.workers.append(SubprocessWorker(self.command) if self.command else SubprocessWorker())
        return self.workers[-1]

    def start_job(self, on_progress, on_finished):
        return UpscaleJob(self.new_worker(), on_progress, on_finished, str(self.folder))

    def ensure(self, tell, cancelled):
        self.installs += 1
        if self.install_error:
            raise InstallError(self.install_error)

    def list_gpus(self):
        self.gpu_questions += 1
        return self.gpus

    def click(self, name):
        getattr(self.ui, name).widget.click()

    def run(self, button="upscaleButton", until=None):
        """Click, and serve the workers until the run has ended."""
        self.click(button)
        self.serve(until)

    def serve(self, until=None):
        pump(self.workers, until or (lambda: not self.running))

    @property
    def running(self):
        return self.ui.cancelButton.enabled

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
    def options(self):
        """The command line's options that the choices lead to now."""
        return self.panel._choices.task().commandOptions()

    @property
    def leftovers(self):
        """What runs have left in the temporary folder; the warm worker's own folder stays as long as that does."""
        return [path for path in self.folder.iterdir() if path != self.warm._folder]
