from __future__ import annotations

from ..Views.ComparisonView import ComparisonView
from ..Views.CurrentSlice import CurrentSlice
from ..Views.RegionBox import RegionBox
from ..Views.SlicePreview import SlicePreview
from .ChoicesSection import ChoicesSection
from .CompareSection import CompareSection
from .RunSection import RunSection


class Panel:
    """What the widgets do, in three sections. Everything that needs the application comes in from outside.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        startJob: called as ``startJob(onProgress, onFinished)``, returns a new ``UpscaleJob``.
        installer: has ``ensure(tell, cancelled)``, which raises InstallError; see ``Installer``.
        placement, sequences, models, devices, forecast, runTimes, scan: see the classes ``ResultPlacement``,
            ``SequencePlacement``, ``ModelCatalog``, ``DeviceCatalog``, ``Forecaster``, ``RunTimes`` and
            ``SurveyedScan``.
        whenQuiet: called as ``whenQuiet(function)``, returns what calls it once nothing happens any more, such as a
            ``QtQuietTimer``.
    """

    def __init__(
        self, ui, startJob, installer, placement, sequences, models, devices, forecast, runTimes, scan, whenQuiet
    ):
        self._parameters = None
        view = self._view = ComparisonView(self._onViewsLeft)
        self._preview = SlicePreview(view)
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
            installer,
            placement,
            sequences,
            view,
            self._preview,
            CurrentSlice(),
            runTimes,
            self.refresh,
        )
        self._compare = CompareSection(ui, placement, view, self._preview, self.refresh)

    def setParameters(self, parameters) -> None:
        """Show and edit these parameters from now on; None while there are none (the scene is being closed)."""
        self._parameters = parameters
        if parameters is None:
            self._preview.close()
        self._choices.setParameters(parameters)
        self.refresh()

    def refresh(self) -> None:
        """Make the panel agree with the parameters and with the nodes that they name."""
        self._choices.refresh()
        self._compare.refresh(None if self._parameters is None else self._parameters.inputVolume)
        self._runs.refresh()
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
        self._runs.stop()
