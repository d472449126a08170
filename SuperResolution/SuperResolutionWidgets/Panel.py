from __future__ import annotations

import logging

from SuperResolutionLib.errors import InputError

from .InstallError import InstallError
from .TimeLeft import TimeLeft
from .UpscaleOutcome import UpscaleOutcome
from .VolumeNodes import regionFromRoi, volumeFromNode


class Panel:
    """What the widgets do. Everything that needs the application comes in from outside.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        startJob: called as ``startJob(onProgress, onFinished)``, returns a new ``UpscaleJob``.
        installer: has ``ensure()``, which raises InstallError.
        placement, models, devices, forecast, acquisition: see the classes ``ResultPlacement``, ``ModelCatalog``,
            ``DeviceCatalog``, ``Forecast`` and ``AcquisitionNote``.
    """

    AUTOMATIC_MODEL = "Automatic"

    def __init__(self, ui, startJob, installer, placement, models, devices, forecast, acquisition):
        self._ui = ui
        self._startJob = startJob
        self._installer = installer
        self._placement = placement
        self._models = models
        self._devices = devices
        self._forecast = forecast
        self._acquisition = acquisition
        self._parameters = None
        self._job = None
        self._busy = False
        self._hasAllDevices = False
        self._listedModels: list[str] | None = None
        for name, label in devices.ALWAYS:
            ui.deviceComboBox.addItem(label, name)
        ui.upscaleButton.connect("clicked(bool)", self.onUpscale)
        ui.cancelButton.connect("clicked(bool)", self.onCancel)
        ui.modelComboBox.connect("currentIndexChanged(int)", self.onModelChosen)
        ui.deviceComboBox.connect("currentIndexChanged(int)", self.onDeviceChosen)
        ui.advancedCollapsibleButton.connect("contentsCollapsed(bool)", self.onAdvancedToggled)
        self._showIdle()
        self._tell("")

    def setParameters(self, parameters) -> None:
        """Show and edit these parameters from now on; None while there are none (the scene is being closed)."""
        self._parameters = parameters
        self._listedModels = None
        if parameters is not None and parameters.device not in dict(self._devices.ALWAYS):
            self._listAllDevices()
        self.refresh()

    def refresh(self) -> None:
        """Make the panel agree with the parameters and with the nodes that they name."""
        if self._parameters is None:
            self._ui.upscaleButton.enabled = False
            return
        self._listModels()
        self._select(self._ui.modelComboBox, "model", "")
        self._select(self._ui.deviceComboBox, "device", "auto")
        self._offerDetail()
        self._foretell()

    def stop(self) -> None:
        """End a run without a result: its scene or the panel is going away."""
        if self._job is not None:
            self._job.cancel()
            self._end("")

    def onUpscale(self, _checked=False) -> None:
        if self._busy or self._parameters is None:
            return
        self._busy = True
        self._ui.upscaleButton.enabled = False
        try:
            self._tell("Checking the Python packages…")
            self._installer.ensure()
            if self._parameters is None:  # the user went elsewhere while packages were installed
                self._end("")
            else:
                self._begin()
        except (InputError, InstallError) as error:
            self._end(str(error))
        except Exception:
            self._end("The run could not be started because of a fault; see the Python console.")
            raise

    def onCancel(self, _checked=False) -> None:
        if self._job is not None:
            self._job.cancel()
            self._end("Cancelled; nothing was changed.")

    def onModelChosen(self, index: int) -> None:
        if self._parameters is not None and self._listedModels is not None and index >= 0:
            name = self._ui.modelComboBox.itemData(index)
            self._parameters.model = name

    def onDeviceChosen(self, index: int) -> None:
        if self._parameters is not None and index >= 0:
            self._parameters.device = self._ui.deviceComboBox.itemData(index)

    def onAdvancedToggled(self, collapsed: bool) -> None:
        if not collapsed:
            self._listAllDevices()

    def _begin(self) -> None:
        parameters = self._parameters
        inputNode = parameters.inputVolume
        volume = volumeFromNode(inputNode)
        self._placement.checkOutputNode(parameters.outputVolume, inputNode)
        options = self._options()
        name = self._placement.nameFor(inputNode, parameters.purpose.factor)
        timeLeft = TimeLeft()
        outputNode = parameters.outputVolume

        def finished(outcome):
            self._finish(outcome, inputNode, outputNode, name)

        self._job = self._startJob(lambda *step: self._showProgress(timeLeft, *step), finished)
        self._showRunning()
        self._tell("Starting…")
        self._job.start(volume, options)

    def _options(self) -> list[str]:
        parameters = self._parameters
        options = ["--factor", str(parameters.purpose.factor)]
        options += ["--quality", parameters.quality.value, "--device", parameters.device]
        if parameters.model:
            options += ["--model", parameters.model]
        model = self._chosenModel()
        if model is not None and model.has_detail:
            options += ["--detail", f"{parameters.detail:g}"]
        if parameters.asStored:
            options.append("--as-stored")
        region = self._region()
        if region is not None:
            # One word: a value that begins with a minus sign would be taken for an option.
            options += ["--region=" + ",".join(f"{value:.6f}" for value in region)]
        return options

    def _region(self):
        roi = self._parameters.region
        return None if roi is None else regionFromRoi(roi, self._parameters.inputVolume)

    def _chosenModel(self):
        parameters = self._parameters
        return self._models.chosen(parameters.purpose.factor, parameters.model, parameters.quality.value)

    def _finish(self, outcome: UpscaleOutcome, inputNode, outputNode, name: str) -> None:
        if outcome.volume is None:
            logging.error("%s\n%s", outcome.message, outcome.log)
            self._end("\n".join(filter(None, [outcome.message, outcome.log])))
            return
        try:
            node = self._placement.place(outcome.volume, outcome.report, inputNode, name, outputNode)
        except MemoryError:
            self._end("The result does not fit into memory; close other volumes, or choose a region.")
            return
        except Exception:
            self._end("The result could not be placed in the scene because of a fault; see the Python console.")
            raise
        report = outcome.report
        done = f"{node.GetName()}: done in {report['seconds']:.0f} s on {report.get('device_label', report['device'])}."
        self._end("\n".join([done, *report["warnings"]]))

    def _end(self, message: str) -> None:
        self._job = None
        self._busy = False
        self._showIdle()
        self.refresh()
        self._tell(message)

    def _foretell(self) -> None:
        """Show what the result will be, or why there can be none; Upscale is enabled accordingly."""
        ready = False
        if self._parameters.inputVolume is None:
            text = "Choose an input volume."
        else:
            try:
                volume = volumeFromNode(self._parameters.inputVolume)
                self._placement.checkOutputNode(self._parameters.outputVolume, self._parameters.inputVolume)
                text = "Result: " + self._forecast.text(volume, self._parameters.purpose.factor, self._region())
                note = self._acquisition.text(self._parameters.inputVolume, volume, self._parameters.asStored)
                text = "\n".join(filter(None, [text, note]))
                ready = True
            except InputError as error:
                text = str(error)
        # A narrow panel breaks the line between sizes, not within one.
        self._ui.forecastLabel.text = text.replace(" × ", "\u00a0×\u00a0")
        self._ui.upscaleButton.enabled = ready and not self._busy

    def _offerDetail(self) -> None:
        model = self._chosenModel()
        hasDetail = model is not None and model.has_detail
        self._ui.detailLabel.visible = hasDetail
        self._ui.detailSlider.visible = hasDetail
        if hasDetail and self._parameters.detailModel != model.name:
            # Each model has its own safest value; the user's holds for the model that it was set for.
            self._parameters.detailModel = model.name
            self._parameters.detail = model.default_detail

    def _listModels(self) -> None:
        models = self._models.models(self._parameters.purpose.factor)
        names = ["", *(model.name for model in models)]
        if names == self._listedModels:
            return
        # Filling the list moves its selection, which is no choice of the user's.
        self._listedModels = None
        combo = self._ui.modelComboBox
        combo.clear()
        combo.addItem(self.AUTOMATIC_MODEL, "")
        for model in models:
            combo.addItem(f"{model.name}: {model.description}", model.name)
        self._listedModels = names

    def _listAllDevices(self) -> None:
        if self._hasAllDevices:
            return
        self._hasAllDevices = True
        for name, label in self._devices.devices()[len(self._devices.ALWAYS) :]:
            self._ui.deviceComboBox.addItem(label, name)

    def _select(self, combo, parameter: str, fallback: str) -> None:
        index = combo.findData(getattr(self._parameters, parameter))
        if index < 0:
            # A scene from another computer may name what is not here.
            setattr(self._parameters, parameter, fallback)
            index = combo.findData(fallback)
        combo.setCurrentIndex(index)

    def _showIdle(self) -> None:
        self._ui.cancelButton.enabled = False
        self._ui.progressBar.visible = False

    def _showRunning(self) -> None:
        self._ui.cancelButton.enabled = True
        self._ui.progressBar.visible = True
        self._ui.progressBar.setRange(0, 0)
        self._ui.progressBar.format = "%p%"

    def _showProgress(self, timeLeft: TimeLeft, done: int, total: int, message: str) -> None:
        left = timeLeft.text(done, total)
        self._ui.progressBar.setRange(0, total)
        self._ui.progressBar.setValue(done)
        self._ui.progressBar.format = f"%p%, {left}" if left else "%p%"
        self._tell(f"{message}: {done} of {total}")

    def _tell(self, message: str) -> None:
        self._ui.statusLabel.text = message
        self._ui.statusLabel.visible = bool(message)
