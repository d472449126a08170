"""How far the networks see, known without PyTorch, so that a plan needs none.

A tile that is cropped by a network's halo equals inference on the whole image.
"""

from __future__ import annotations


def compact_halo(blocks: int = 6, dilation: int = 1) -> int:
    """Return the receptive-field radius of a ``CompactNet``, in low-resolution pixels."""
    return 2 * blocks + 2 * dilation


def rrdb_halo(blocks: int = 1, upsampling: str = "pixel_shuffle") -> int:
    """Return the receptive-field radius of an ``RRDBNet``, in low-resolution pixels."""
    return 15 * blocks + 2 + (1 if upsampling == "subpixel" else 3)


def through_plane_halo(blocks: int = 6) -> int:
    """Return the receptive-field radius of a ``ThroughPlaneNet`` in columns (pixels of the slice plane)."""
    return 3 * blocks + 2


def through_plane_slice_halo(blocks: int = 6) -> int:
    """Return the receptive-field radius of a ``ThroughPlaneNet`` in slices, the cubic interpolation's included."""
    return 2 * blocks + 3


HALOS = {"CompactNet": compact_halo, "RRDBNet": rrdb_halo, "ThroughPlaneNet": through_plane_halo}
SLICE_HALOS = {"ThroughPlaneNet": through_plane_slice_halo}
