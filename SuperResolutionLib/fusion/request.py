"""What a user asks for where several scans become one volume."""

from __future__ import annotations

from dataclasses import dataclass

MOTIONS = ("none", "stacks")
EXTENTS = ("union", "common", "first")


@dataclass(frozen=True)
class FuseRequest:
    """What the user asked for.

    Attributes:
        spacing: mm, of the isotropic result; None takes the finest in the planes of the scans.
        motion: what moved between the scans: ``none`` (their places are right) or ``stacks`` (each scan as a whole).
        extent: the result covers all that a scan shows (``union``), what all of them show (``common``) or what the
            first shows (``first``).
        sharpen: whether the networks for new slices say what no scan measured; else interpolation does.
        all_detail: whether detail in which the scans do not agree is kept, too; else it is held back.
        force: fuse scans that do not look alike.
        device: as of ``UpscaleRequest``, for the networks.
        output_type: ``input`` keeps the first scan's scalar type, ``float`` gives float32.
    """

    spacing: float | None = None
    motion: str = "stacks"
    extent: str = "union"
    sharpen: bool = True
    all_detail: bool = False
    force: bool = False
    device: str = "auto"
    output_type: str = "input"
