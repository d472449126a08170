"""The networks a model folder may name: the SRGAN-D generator, the compact network and the one through the slices.

The first two map a slice batch ``(N, 1, H, W)`` of normalised intensities (about [0, 1]) to
``(N, 1, factor * H, factor * W)`` on the same scale. Output pixels tile the input pixels (the half-voxel rule). Those
that see neighbouring slices take ``(N, C, H, W)``, as ``with_told`` puts it together.
"""

from .compact import CompactNet
from .neighbours import FARTHEST_APART, neighbour_offsets, slice_channels, with_told
from .network import Network
from .rrdb import RRDBNet
from .through_plane import ThroughPlaneNet, fine_rows

__all__ = [
    "FARTHEST_APART",
    "NETWORKS",
    "CompactNet",
    "Network",
    "RRDBNet",
    "ThroughPlaneNet",
    "fine_rows",
    "neighbour_offsets",
    "slice_channels",
    "with_told",
]

NETWORKS: dict[str, type[Network]] = {"CompactNet": CompactNet, "RRDBNet": RRDBNet, "ThroughPlaneNet": ThroughPlaneNet}
"""The registry: a model folder names one of these and gives numbers and words as arguments, never code."""
