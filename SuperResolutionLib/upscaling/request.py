"""What a user asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models.bundles import Model


@dataclass(frozen=True)
class UpscaleRequest:
    """What the user asked for. Exactly one of ``factor``, ``spacing`` and ``isotropic`` decides the output grid.

    Attributes:
        factor: a number for the slice plane (4), or one per axis i, j, k ((2, 2, 1) or (1, 1, 4) or (2, 2, 2)); None
            where one of the next two decides, or else the model: its factor, or isotropic.
        spacing: mm, a number for the slice plane or one per axis i, j, k.
        isotropic: refine all axes to the finest spacing.
        model: an installed model's name, a model folder or a ``Model``, for the slice plane or for what lies between
            the slices, as the model says; None chooses by factor and quality.
        detail: 0 (fidelity) to 1 (perceptual); None takes the model's default.
        region: two opposite corners R, A, S, R, A, S of a box in mm; only the voxels that it touches are computed.
        box: first and last (excluded) index along i, j and k; only these voxels are computed, instead of a region.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        quality: ``fast`` (compact network), ``standard`` (RRDB where one is installed) or ``best`` (plus the
            eight-fold flip and rotate ensemble).
        grain: 0 to 1, the share of the measured noise which the slice plane's network smooths away that is added
            back: of what the result, made coarse again, lacks of the scan. None adds half of it in flat tissue alone,
            where the network would draw noise as lines, or none without ``consistency``; see ``grain``.
        consistency: hold the measured band (see ``consistency.HeldBand``).
        error: also return the expected error of each voxel, which the networks predict; see
            Documentation/expected_error.md.
        output_type: ``input`` keeps the scalar type, ``float`` gives float32.
        as_stored: upscale a zero-filled scan from its stored voxels instead of the acquired band. The output grid is
            the same either way: ``factor`` counts from the stored grid.
        acquired: how many samples the scanner acquired along the two axes of the slices, in the order i, j, k, such as
            (256, 230) for slices of 512 x 460 voxels; None takes what the file says, or else the spectrum.
        thickness: mm, the slices' (FWHM of the profile); None takes the file's, or else the spacing. It matters only
            where new slices are asked for.
        labels: what to do with masks and label maps, which a network would blur: None refuses them; "nearest" takes the
            volume for one and gives each new voxel the label of the nearest; "found" does so where the volume is found
            to be one, and upscales others.
        adapt: fine-tune the network that makes new slices on the volume's own slices first; see ``adaptation``.
        level: where the slices differ in brightness by turns (``Survey.slice_bands``) and new slices are made, take
            that out; else it stays as it is.
    """

    factor: int | tuple[int, int, int] | None = 4
    spacing: float | tuple[float, float, float] | None = None
    isotropic: bool = False
    model: str | Model | None = None
    detail: float | None = None
    region: tuple[float, float, float, float, float, float] | None = None
    box: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    device: str = "auto"
    quality: str = "standard"
    grain: float | None = None
    consistency: bool = True
    error: bool = False
    output_type: str = "input"
    as_stored: bool = False
    acquired: tuple[int, int] | None = None
    thickness: float | None = None
    adapt: bool = False
    labels: str | None = None
    level: bool = False

    @property
    def named_axis(self) -> int | None:
        """The slice axis, 0, 1, 2 for i, j, k, that the factors name: the one whose factor differs; else None."""
        if self.spacing is not None or self.isotropic or not isinstance(self.factor, (tuple, list)):
            return None
        odd = [axis for axis, factor in enumerate(self.factor) if list(self.factor).count(factor) == 1]
        return odd[0] if len(self.factor) == 3 and len(odd) == 1 else None
