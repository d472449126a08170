from __future__ import annotations

from ..Scene.KeptVolume import KeptVolume
from ..Views.ComparisonView import ComparisonView
from ..Views.CurrentSlice import CurrentSlice
from ..Views.LiveView import LiveView
from ..Views.RegionBox import RegionBox
from ..Views.SlicePreview import SlicePreview
from .ChoicesSection import ChoicesSection
from .CompareSection import CompareSection
from .LiveSection import LiveSection
from .RunSection import RunSection


class Panel:
    """What the widgets do, in four sections. Everything that needs the application comes in from outside.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        startJob: called as ``startJob(onProgress, onFinished)``, returns a new ``UpscaleJob``.
        warmWorker: see the class ``WarmWorker``.
        installer: has ``ensure(tell, cancelled)``, which raises InstallError; see ``Installer``.
        placement, sequences, models, devices, forecast, runTimes, scan: see the classes ``ResultPlacement``,
            ``SequencePlacement``, ``ModelCatalog``, ``DeviceCatalog``, ``Forecaster``, ``RunTimes`` and
            ``SurveyedScan``.
        whenQuiet: called as ``whenQuiet(function)``, returns what calls it once nothing happens any more, such as a
            ``QtQuietTimer``.
    """

    def __init__(
        self,
        ui,
        startJob,
        warmWorker,
        installer,
        placement,
        sequences,
        models,
        devices,
        forecast,
        runTimes,
        scan,
        whenQuiet,
    ):
        self._parameters = None
        view = self._view = ComparisonView(self._onViewsLeft)
        live = LiveView()
        self._preview = SlicePreview(view, live)
        self._warmWorker = warmWorker
        self._volumes = KeptVolume()
        self._regionBox = RegionBox()
        self._choices = ChoicesSection(
            ui,
            placement,
            sequences,
            models,
            devices,
            forecast,
            scan,
            self._regionBox,
            self.refresh,
            whenQuiet(self.refresh),
        )
        self._runs = RunSection(
            ui,
            self._choices,
            startJob,
            lambda onProgress, onFinished: warmWorker.newJob(onProgress, onFinished),
            installer,
            placement,
            sequences,
            view,
            self._preview,
            CurrentSlice(),
            self._volumes,
            runTimes,
            self.refresh,
        )
        self._live = LiveSection(
            ui,
            self._choices,
            self._runs.prepare,
            self._preview,
            live,
            self._volumes,
            lambda onProgress, onFinished: warmWorker.newJob(onProgress, onFinished),
            self.refresh,
        )
        self._compare = CompareSection(ui, placement, view, self._preview, self.refresh)

    def setParameters(self, parameters) -> None:
        """Show and edit these parameters from now on; None while there are none (the scene is being closed)."""
        self._parameters = parameters
        if parameters is None:
            self._preview.close()
            self._volumes.forget()
        self._choices.setParameters(parameters)
        self.refresh()

    def refresh(self) -> None:
        """Make the panel agree with the parameters and with the nodes that they name."""
        self._choices.refresh()
        self._compare.refresh(None if self._parameters is None else self._parameters.inputVolume)
        self._runs.refresh()
        self._live.refresh()
        self._regionBox.conceal(self._view.isComparing)

    def onPackagesInstalled(self) -> None:
        """Look again for what depends on the Python packages, and take back what was said of missing ones."""
        self._choices.relistDevices()
        self._runs.onPackagesInstalled()

    def _onViewsLeft(self) -> None:
        self._preview.close()
        self.refresh()

    def stop(self) -> None:
        """End all runs without a result, and give the views back: the scene or the panel is going away."""
        self._live.stop()
        self._runs.stop()
        self._warmWorker.stop()
        self._volumes.forget()
