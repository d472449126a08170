from __future__ import annotations

from SuperResolutionLib.fusion.extent import fused_grid
from SuperResolutionLib.fusion.request import FuseRequest

from ..Forecast.Prospect import Prospect
from ..Scene.Companion import Companion
from ..Scene.VolumeNodes import volumesFromNodes
from .Purpose import Purpose
from .UpscaleTask import UpscaleTask


class FusionChoices:
    """What the panel shows and does where several scans are to become one volume.

    The input is the first scan, the reference; each further one has a selector, which appears when the one before it is
    filled.

    Args:
        ui: the widgets of SuperResolution.ui, by object name.
        placement, forecast: see the classes ``ResultPlacement`` and ``Forecaster``.
    """

    SCANS = tuple(f"scan{number}" for number in range(2, 7))
    """Parameters, and the beginnings of the names of their widgets."""
    NOT_FOR_FUSION = (
        "qualityLabel",
        "qualityComboBox",
        "modelLabel",
        "modelComboBox",
        "regionLabel",
        "regionSelector",
        "asStoredCheckBox",
        *(f"{companion.value}CheckBox" for companion in Companion),
    )

    def __init__(self, ui, placement, forecast):
        self._ui = ui
        self._placement = placement
        self._forecast = forecast

    def show(self, parameters) -> None:
        """Show the widgets that the purpose has a use for."""
        fuses = parameters.purpose is Purpose.FUSION
        isNext = fuses
        for scan in self.SCANS:
            chosen = getattr(parameters, scan) is not None
            for widget in (getattr(self._ui, f"{scan}Label"), getattr(self._ui, f"{scan}Selector")):
                widget.visible = isNext or (fuses and chosen)
            isNext = isNext and chosen
        for name in self.NOT_FOR_FUSION:
            getattr(self._ui, name).visible = not fuses
        if fuses:
            self._ui.sequenceCheckBox.visible = False

    def prospect(self, parameters) -> Prospect:
        """Return what the run will make and need.

        Raises:
            InputError: the scans cannot be fused; one sentence says why and what to do.
        """
        nodes = self._nodes(parameters)
        volumes = volumesFromNodes(nodes)
        for node in nodes:
            self._placement.checkInputNode(node)
            self._placement.checkOutputNode(parameters.outputVolume, node)
        finest = min(min(volume.spacing) for volume in volumes)
        grid = fused_grid(volumes, finest, FuseRequest().extent)
        return self._forecast.prospectOfFusion(grid, volumes, parameters.device)

    def notes(self, parameters) -> list[str]:
        """Return warnings for the scans that are results themselves."""
        return [self._placement.noteOn(node) for node in self._nodes(parameters)]

    def task(self, parameters) -> UpscaleTask:
        """Return the run; see ``prospect`` for the errors."""
        prospect = self.prospect(parameters)
        first, *others = nodes = self._nodes(parameters)
        return UpscaleTask(
            inputNode=first,
            outputNode=parameters.outputVolume,
            name=self._placement.nameWith(first, parameters.purpose.suffix(parameters.spacing)),
            options=("--device", parameters.device),
            imageTime=max(node.GetImageData().GetMTime() for node in nodes),
            workload=prospect.workload,
            otherScans=tuple(others),
        )

    def _nodes(self, parameters) -> list:
        others = (getattr(parameters, scan) for scan in self.SCANS)
        return [parameters.inputVolume, *(node for node in others if node is not None)]
