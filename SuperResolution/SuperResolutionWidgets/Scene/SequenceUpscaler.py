from __future__ import annotations

from .EngineCall import EngineCall
from .NodeUpscaler import runEngine
from .SequencePlacement import SequencePlacement


class SequenceUpscaler:
    """Upscales a sequence of volumes in this process and places the new sequence in the scene."""

    def __init__(self, engine=runEngine, placement=None):
        self._engine = engine
        self._placement = placement or SequencePlacement()

    def upscale(self, sequenceNode, call: EngineCall, show: bool):
        """Return the sequence node of the upscaled volumes; see ``SuperResolutionLogic.upscaleSequence``."""
        volumes = self._placement.volumes(sequenceNode)
        # The volumes of a sequence have no transform; the one that shows them has.
        placed = self._placement.shownNode(sequenceNode) or sequenceNode.GetNthDataNode(0)
        fields = [call.fieldsFor(placed, volume) for volume in volumes]
        fineNode = self._placement.newSequence(sequenceNode)
        for number, volume in enumerate(volumes):

            def onProgress(done, total, message, number=number):
                place = f"{message}: {number + 1} of {len(volumes)}"
                call.progress(number * total + done, len(volumes) * total, place)

            result = self._engine(volume, fields[number], onProgress, call.cancelled)
            self._placement.addVolume(fineNode, sequenceNode, number, result)
        name = self._placement.nameFor(sequenceNode, **call.gridFields)
        return self._placement.placeSequence(fineNode, sequenceNode, name, show)
