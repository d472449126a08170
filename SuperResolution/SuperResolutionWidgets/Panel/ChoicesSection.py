from __future__ import annotations

from dataclasses import replace

import slicer

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.models.bundles import Model
from SuperResolutionLib.upscaling.plan import Plan, plan
from SuperResolutionLib.upscaling.request import UpscaleRequest

from ..Forecast.Prospect import Prospect
from ..Scene.Companion import Companion
from ..Scene.FollowedNode import FollowedNode
from ..Scene.VolumeNodes import boxFromRoi, volumeFromNode
from .FusionChoices import FusionChoices
from .Purpose import Purpose
from .UpscaleTask import UpscaleTask


class ChoicesSection:
    """The upper part of the panel: what the user chooses, and what that will lead to.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        placement, sequences, models, devices, forecast, scan, regionBox: see the classes ``ResultPlacement``,
            ``SequencePlacement``, ``ModelCatalog``, ``DeviceCatalog``, ``Forecaster``, ``SurveyedScan`` and
            ``RegionBox``.
        onMoved: called when the user has changed the box of the region.
        onScanChanged: called when the input volume has changed: its voxels, its place, its name.

    Attributes:
        prospect: of the run that the choices lead to, None where they lead to none.
    """

    AUTOMATIC_MODEL = "Automatic"
    TOOL_TIP_ROLE = 3

    def __init__(self, ui, placement, sequences, models, devices, forecast, scan, regionBox, onMoved, onScanChanged):
        self._ui = ui
        self._placement = placement
        self._sequences = sequences
        self._models = models
        self._devices = devices
        self._forecast = forecast
        self._scan = scan
        self._regionBox = regionBox
        self._onMoved = onMoved
        self._onScanChanged = onScanChanged
        self._fusion = FusionChoices(ui, placement, forecast)
        self._followedScan = FollowedNode(
            slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        )
        self._parameters = None
        self._listedModels: list[str] | None = None
        self._deviceNotes: dict[str, str] = {}
        self._shownRegion = None
        self._addsSlices = False
        self._planned: tuple[Model, ...] = ()
        self.prospect: Prospect | None = None
        self._addDevices(devices.ALWAYS)
        ui.modelComboBox.connect("currentIndexChanged(int)", self.onModelChosen)
        ui.deviceComboBox.connect("currentIndexChanged(int)", self.onDeviceChosen)
        ui.advancedCollapsibleButton.connect("contentsCollapsed(bool)", self.onAdvancedToggled)

    @property
    def isOpen(self) -> bool:
        """Whether the user has the panel before the eyes."""
        return self._parameters is not None

    @property
    def inputNode(self):
        """The volume node that is chosen, or None."""
        return None if self._parameters is None else self._parameters.inputVolume

    @property
    def hasPreview(self) -> bool:
        """Whether a slice alone can be upscaled: a fusion needs the scans as a whole."""
        return self._parameters is not None and self._parameters.purpose is not Purpose.FUSION

    def setParameters(self, parameters) -> None:
        """Show and edit these parameters from now on; None while there are none."""
        self._parameters = parameters
        self._listedModels = None
        # The box of a saved scene is shown or hidden as it was saved.
        self._shownRegion = None if parameters is None else parameters.region
        self._regionBox.follow(self._shownRegion, self._onMoved)
        self._followScan()
        if parameters is None:
            self.prospect = None
            self._scan.forget()
            return
        if parameters.device not in [device.name for device in self._devices.ALWAYS]:
            self._listAllDevices()

    def refresh(self) -> None:
        """Make the widgets agree with the parameters and with the nodes that they name."""
        if self._parameters is None:
            return
        self._followScan()
        self._offerSequence()
        self._listModels()
        self._select(self._ui.modelComboBox, "model", "")
        self._select(self._ui.deviceComboBox, "device", "auto")
        self._show(self._parameters.purpose is Purpose.SPACING, "spacing", "SpinBox")
        self._describeDevice()
        self._showRegion()
        self._foretell()
        self._describeModel()
        self._show(self._addsSlices, "thickness", "SpinBox")
        self._ui.adaptCheckBox.visible = self._addsSlices
        self._fusion.show(self._parameters)

    def task(self) -> UpscaleTask | None:
        """Return the run that the choices lead to, None while there are no parameters.

        Raises:
            InputError: the choices cannot be served; one sentence says why and what to do.
        """
        if self._parameters is None:
            return None
        parameters = self._parameters
        if parameters.purpose is Purpose.FUSION:
            return self._fusion.task(parameters)
        volume = volumeFromNode(parameters.inputVolume)
        todo = self._plan(volume)
        prospect = self._forecast.prospect(todo, len(self._companions()), self._volumes())
        sequenceNode = self._sequence()
        return UpscaleTask(
            inputNode=parameters.inputVolume,
            outputNode=parameters.outputVolume,
            name=self._placement.nameWith(
                sequenceNode or parameters.inputVolume, parameters.purpose.suffix(parameters.spacing)
            ),
            options=tuple(self._options(prospect)),
            companions=self._companions(),
            box=self._box(volume),
            imageTime=parameters.inputVolume.GetImageData().GetMTime(),
            sliceAxis=todo.survey.slice_axis,
            addsSlices=prospect.addsSlices,
            workload=prospect.workload,
            sequenceNode=sequenceNode,
        )

    def onModelChosen(self, index: int) -> None:
        if self._parameters is not None and self._listedModels is not None and index >= 0:
            self._parameters.model = self._ui.modelComboBox.itemData(index)

    def onDeviceChosen(self, index: int) -> None:
        if self._parameters is not None and index >= 0:
            self._parameters.device = self._ui.deviceComboBox.itemData(index)

    def onAdvancedToggled(self, collapsed: bool) -> None:
        if not collapsed:
            self._listAllDevices()
            # What was hidden while its section was closed comes back when that opens.
            self.refresh()

    def _followScan(self) -> None:
        if self.inputNode is not self._followedScan.node:
            self._followedScan.follow(self.inputNode, self._onScanChanged)

    def relistDevices(self) -> None:
        """Ask again what the devices are good for, as that depends on the installed PyTorch."""
        if self._deviceNotes:
            self._deviceNotes = {}
            self._listAllDevices()
            self.refresh()

    def _foretell(self) -> None:
        """Show what the result will be, or why there can be none."""
        parameters = self._parameters
        self.prospect, self._addsSlices, self._planned = None, False, ()
        try:
            if parameters.purpose is Purpose.FUSION:
                prospect, notes = self._fusion.prospect(parameters), self._fusion.notes(parameters)
            else:
                prospect, notes = self._prospectAndNotes()
            text = "\n".join(filter(None, [f"Result: {prospect.text()}", *notes]))
            self.prospect = prospect
        except InputError as error:
            text = str(error)
        self._ui.forecastLabel.text = text

    def _prospectAndNotes(self) -> tuple[Prospect, list[str]]:
        parameters = self._parameters
        volume = volumeFromNode(parameters.inputVolume)
        todo = self._plan(volume)
        prospect = self._forecast.prospect(todo, len(self._companions()), self._volumes())
        return prospect, [
            self._scan.note(parameters.inputVolume, volume, parameters.asStored),
            self._placement.noteOn(parameters.inputVolume),
            *todo.warnings,
        ]

    def _plan(self, volume) -> Plan:
        parameters = self._parameters
        self._placement.checkInputNode(parameters.inputVolume)
        self._placement.checkOutputNode(parameters.outputVolume, parameters.inputVolume)
        request = UpscaleRequest(
            **parameters.purpose.request(parameters.spacing),
            model=parameters.model or None,
            quality=parameters.quality.value,
            device=parameters.device,
            box=self._box(volume),
            error=Companion.ERROR in self._companions(),
            as_stored=parameters.asStored,
        )
        scan = self._scan.survey(parameters.inputVolume, volume)
        todo = plan(scan, request)
        # Remembered before a thickness can be refused, which the user must be able to see and change.
        self._addsSlices = todo.new_slices is not None
        self._planned = tuple(step.model for step in (todo.slice_plane, todo.new_slices) if step is not None)
        if self._addsSlices and (parameters.thickness or parameters.adapt):
            todo = plan(scan, replace(request, thickness=parameters.thickness or None, adapt=parameters.adapt))
        return todo

    def _options(self, prospect: Prospect) -> list[str]:
        parameters = self._parameters
        options = parameters.purpose.options(parameters.spacing)
        options += ["--quality", parameters.quality.value, "--device", parameters.device]
        if parameters.model:
            options += ["--model", parameters.model]
        model = self._chosenModel()
        if model is not None and model.has_detail:
            options += ["--detail", f"{parameters.detail:g}"]
        if parameters.asStored:
            options.append("--as-stored")
        if prospect.addsSlices:
            options += ["--thickness", f"{parameters.thickness:g}"] if parameters.thickness else []
            options += ["--adapt"] if parameters.adapt else []
        return options

    def _offerSequence(self) -> None:
        sequenceNode = self._sequences.sequenceOf(self._parameters.inputVolume)
        self._ui.sequenceCheckBox.visible = sequenceNode is not None
        if sequenceNode is not None:
            count = sequenceNode.GetNumberOfDataNodes()
            self._ui.sequenceCheckBox.text = f"The whole sequence, {count} volumes"

    def _sequence(self):
        """Return the sequence node that is to be upscaled, None where it is one volume."""
        wanted = self._parameters.wholeSequence
        return self._sequences.sequenceOf(self._parameters.inputVolume) if wanted else None

    def _volumes(self) -> int:
        sequenceNode = self._sequence()
        return 1 if sequenceNode is None else sequenceNode.GetNumberOfDataNodes()

    def _companions(self) -> tuple[Companion, ...]:
        if self._sequence() is not None:
            return ()
        return tuple(companion for companion in Companion if getattr(self._parameters, companion.value))

    def _box(self, volume):
        roi = self._parameters.region
        return None if roi is None else boxFromRoi(roi, self._parameters.inputVolume, volume)

    def _showRegion(self) -> None:
        region = self._parameters.region
        if region is not self._shownRegion:
            if self._shownRegion is not None:
                self._regionBox.hide(self._shownRegion)
            self._shownRegion = region
            if region is not None:
                self._regionBox.show(region, self._parameters.inputVolume)
            self._regionBox.follow(region, self._onMoved)

    def _chosenModel(self):
        """Return the plan's model, one that offers a detail before others; without a plan the catalogue's."""
        for model in (*filter(lambda model: model.has_detail, self._planned), *self._planned):
            return model
        parameters = self._parameters
        return self._models.chosen(parameters.purpose, parameters.model, parameters.quality.value)

    def _describeModel(self) -> None:
        model = self._chosenModel()
        self._ui.modelDescriptionLabel.text = "" if model is None else f"{model.name}: {self._models.describe(model)}"
        self._ui.modelDescriptionLabel.visible = model is not None
        hasDetail = model is not None and model.has_detail
        self._show(hasDetail, "detail", "Slider")
        self._ui.detailEndsWidget.visible = hasDetail
        if hasDetail and self._parameters.detailModel != model.name:
            # Each model has its own safest value; the user's holds for the model that it was set for.
            self._parameters.detailModel = model.name
            self._parameters.detail = model.default_detail

    def _describeDevice(self) -> None:
        note = self._deviceNotes.get(self._parameters.device, "")
        self._ui.deviceNoteLabel.text = note
        self._ui.deviceNoteLabel.visible = bool(note)

    def _listModels(self) -> None:
        models = self._models.models(self._parameters.purpose)
        names = ["", *(model.name for model in models)]
        if names == self._listedModels:
            return
        # Filling the list moves its selection, which is no choice of the user's.
        self._listedModels = None
        combo = self._ui.modelComboBox
        combo.clear()
        combo.addItem(self.AUTOMATIC_MODEL, "")
        for model in models:
            combo.addItem(model.name, model.name)
            combo.setItemData(combo.count - 1, self._models.describe(model), self.TOOL_TIP_ROLE)
        self._listedModels = names

    def _listAllDevices(self) -> None:
        if not self._deviceNotes:
            devices = self._devices.devices()
            self._deviceNotes = {device.name: device.note for device in devices}
            self._addDevices(devices)

    def _addDevices(self, devices) -> None:
        combo = self._ui.deviceComboBox
        for device in devices:
            if combo.findData(device.name) < 0:
                combo.addItem(device.label, device.name)
            combo.setItemData(combo.findData(device.name), device.note, self.TOOL_TIP_ROLE)

    def _select(self, combo, parameter: str, fallback: str) -> None:
        index = combo.findData(getattr(self._parameters, parameter))
        if index < 0:
            # A scene from another computer may name what is not here.
            setattr(self._parameters, parameter, fallback)
            index = combo.findData(fallback)
        combo.setCurrentIndex(index)

    def _show(self, visible: bool, name: str, kind: str) -> None:
        for widget in (getattr(self._ui, f"{name}Label"), getattr(self._ui, f"{name}{kind}")):
            widget.visible = visible
