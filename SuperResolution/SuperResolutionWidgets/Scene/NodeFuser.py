from __future__ import annotations

from .NodeUpscaler import importEngine
from .ResultPlacement import ResultPlacement
from .VolumeNodes import volumesFromNodes


def runFusion(volumes, options: dict, progress, cancelled):
    """Run the engine on several Volumes; ``options`` are the fields of ``FuseRequest``.

    Raises:
        InputError: also where PyTorch or another package that the engine needs is not installed.
    """
    engine = importEngine("fusion.fuse")
    return engine.fuse(volumes, engine.FuseRequest(**options), progress, cancelled)


class NodeFuser:
    """Fuses volume nodes in this process and places the result in the scene."""

    def __init__(self, engine=runFusion, placement=None):
        self._engine = engine
        self._placement = placement or ResultPlacement()

    def fuse(self, nodes, outputNode=None, show=True, progress=None, cancelled=None, **options):
        """Return the volume node that holds ``nodes`` fused; see ``SuperResolutionLogic.fuse``."""
        nodes = list(nodes)
        volumes = volumesFromNodes(nodes)
        for node in nodes:
            self._placement.checkInputNode(node)
            self._placement.checkOutputNode(outputNode, node)
        quiet = progress or (lambda done, total, message: None)
        result = self._engine(volumes, options, quiet, cancelled or (lambda: False))
        first, *others = nodes
        name = self._placement.nameWith(first, "fused")
        return self._placement.place(result.volume, result.report, first, name, outputNode, show, others=others)
