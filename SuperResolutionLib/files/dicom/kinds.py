"""Which DICOM images are no slices of a volume, by name."""

from __future__ import annotations

from .headers import SIEMENS_TILES, Header

_NO_VOLUMES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation (DICOM SEG), which holds labels, not a scan",
    "1.2.840.10008.5.1.4.1.1.66.7": "a label map segmentation (DICOM SEG), which holds labels, not a scan",
    "1.2.840.10008.5.1.4.1.1.481.2": "an RT Dose, which is computed, not scanned",
    "1.2.840.10008.5.1.4.1.1.481.1": "an RT Image, a projection",
    "1.2.840.10008.5.1.4.1.1.30": "a Parametric Map, which is computed, not scanned",
    "1.2.840.10008.5.1.4.1.1.20": "a Nuclear Medicine image, whose frames may be projections or points in time",
    "1.2.840.10008.5.1.4.1.1.6.2": "an Enhanced Ultrasound Volume, whose frames are placed in the probe's space",
}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_TILES = {"MOSAIC": "a mosaic (Siemens)", "VFRAME": "a sheet of frames (UIH VFRAME)"}


def why_no_slice(header: Header) -> str:
    """Return what the images of a file are where they are no slices of a volume: ``is a mosaic ...``; else ""."""
    kind = str(header.get("SOPClassUID") or "")
    if kind in _NO_VOLUMES:
        return f"is {_NO_VOLUMES[kind]}"
    if kind == _SECONDARY_CAPTURE or kind.startswith(_SECONDARY_CAPTURE + "."):
        return "is a secondary capture, a picture of a screen or a sheet"
    tiles = [name for sign, name in _TILES.items() if sign in (header.get("ImageType") or ())]
    if not tiles and header.dataset is not None and SIEMENS_TILES in header.dataset:
        tiles = [_TILES["MOSAIC"]]
    if tiles:
        return f"is {tiles[0]}, which shows all slices side by side in one image"
    if int(header.get("SamplesPerPixel") or 1) > 1 or not _is_grey(header):
        return "is a colour image"
    if header.get("ModalityLUTSequence"):
        return "has a Modality LUT instead of a slope and an intercept"
    if header.frames > 1 and not header.get("PerFrameFunctionalGroupsSequence"):
        return f"holds {header.frames} frames without positions, {_order_of_frames(header)}"
    return ""


def _is_grey(header: Header) -> bool:
    return str(header.get("PhotometricInterpretation") or "MONOCHROME2").startswith("MONOCHROME")


def _order_of_frames(header: Header) -> str:
    in_time = any(header.get(name) is not None for name in ("FrameTime", "FrameTimeVector", "CineRate"))
    return "which follow one another in time (a cine loop)" if in_time else "so nothing says which slices they are"
