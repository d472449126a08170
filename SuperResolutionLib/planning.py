"""From what the user asked for to what will be computed: the slice plane, the factor, the output grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .acquired_band import AcquiredBand
from .bundles import QUALITIES, Model, choose_model, find_model, installed_models
from .errors import InputError
from .volume import Volume

AXES = "ijk"


@dataclass(frozen=True)
class UpscaleRequest:
    """What the user asked for. Exactly one of ``factor``, ``spacing`` and ``isotropic`` decides the output grid.

    Attributes:
        factor: a number for the slice plane (4), or one per axis i, j, k ((2, 2, 1)); None where one of the next two
            decides.
        spacing: mm, a number for the slice plane or one per axis i, j, k.
        isotropic: refine all axes to the finest spacing.
        model: an installed model's name or a model folder; None chooses by factor and quality.
        detail: 0 (fidelity) to 1 (perceptual); None takes the model's default.
        region: two opposite corners R, A, S, R, A, S of a box in mm; only the voxels that it touches are computed.
        slices: the first and the last index across the slices; only these slices are computed.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        quality: ``fast`` (compact network), ``standard`` (RRDB where one is installed) or ``best`` (plus the
            eight-fold flip and rotate ensemble).
        consistency: hold the measured band (see ``consistency.HeldBand``).
        uncertainty: also return the ensemble's standard deviation; runs the ensemble whatever the quality.
        output_type: ``input`` keeps the scalar type, ``float`` gives float32.
        as_stored: upscale a zero-filled scan from its stored voxels instead of the acquired band. The output grid is
            the same either way: ``factor`` counts from the stored grid.
    """

    factor: int | tuple[int, int, int] | None = 4
    spacing: float | tuple[float, float, float] | None = None
    isotropic: bool = False
    model: str | None = None
    detail: float | None = None
    region: tuple[float, float, float, float, float, float] | None = None
    slices: tuple[int, int] | None = None
    device: str = "auto"
    quality: str = "standard"
    consistency: bool = True
    uncertainty: bool = False
    output_type: str = "input"
    as_stored: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be computed: the model, the axis across the slices (0, 1, 2 for i, j, k), the networks' factor per
    axis i, j, k, and the exact output spacing in mm where that needs a resampling afterwards (else None)."""

    model: Model
    slice_axis: int
    factors: tuple[int, int, int]
    final_spacing: tuple[float, float, float] | None = None


def slice_axis(volume: Volume) -> int:
    """Return the axis across the slices: the coarsest one, k where it ties (to 0.1 %) or has a single voxel."""
    spacing = volume.spacing
    if volume.dimensions[2] == 1 or spacing[2] >= max(spacing) * 0.999:
        return 2
    return max(range(3), key=lambda axis: spacing[axis])


def plan_upscale(volume: Volume, request: UpscaleRequest) -> Plan:
    """Decide what to compute for a request.

    Raises:
        InputError: contradictory wishes, a factor that no model serves, a refinement through the slices, or a slice
            plane that is one voxel thick.
    """
    if request.quality not in QUALITIES:
        raise InputError(f"There is no quality {request.quality}; choose {', '.join(QUALITIES)}.")
    if request.spacing is not None or request.isotropic:
        plan = _plan_for_spacing(volume, request)
    else:
        plan = _plan_for_factor(volume, request)
    thin = [AXES[a] for a in range(3) if a != plan.slice_axis and volume.dimensions[a] < 2]
    if thin:
        raise InputError(
            f"The volume is one voxel thick along {thin[0]}, which lies in the slice plane; choose a volume with whole"
            " slices, or name the plane's axes by a factor such as 1x4x4."
        )
    return plan


def plan_from_band(asked: Plan, band: AcquiredBand, request: UpscaleRequest) -> Plan:
    """Return the plan that leads from the acquired band of a zero-filled scan to the grid that ``asked`` leads to.

    The network starts from fewer samples than are stored, so it needs a larger factor: the smallest that reaches the
    grid along both axes, or the largest there is (a model that the user named is kept). One resampling does the rest.
    """
    spacing = asked.final_spacing or tuple(old / factor for old, factor in zip(band.spacing, asked.factors))
    needed = max(band.acquired_spacing[axis] / spacing[axis] for axis in range(3) if axis != asked.slice_axis)
    model = asked.model
    if request.model is None:
        factors = sorted({model.factor for model in installed_models()})
        suited = choose_model(next((f for f in factors if f >= needed - 1e-3), factors[-1]), request.quality)
        # A detail that was chosen with the asked-for model in mind must be one that the other can show.
        model = suited if suited.has_detail or not request.detail else model
    factors = tuple(1 if axis == asked.slice_axis else model.factor for axis in range(3))
    return Plan(model, asked.slice_axis, factors, spacing)


def _plan_for_factor(volume: Volume, request: UpscaleRequest) -> Plan:
    factor = request.factor
    if factor is None:
        factor = find_model(request.model).factor if request.model else 4
    if isinstance(factor, (int, float)):
        across = slice_axis(volume)
        factors = tuple(1 if axis == across else factor for axis in range(3))
    else:
        factors = tuple(factor)
        ones = [axis for axis in range(3) if factors[axis] == 1]
        if len(factors) != 3 or len(ones) != 1 or len(set(factors)) != 2:
            raise InputError(
                f"No installed model upscales {'x'.join(f'{f:g}' for f in factors)} (i x j x k): two axes need the same"
                " factor and the third 1, as in 4x4x1."
            )
        across = ones[0]
    wanted = max(factors)
    model = _model(request, wanted)
    if model.factor != wanted:
        raise InputError(f"The model {model.name} upscales x{model.factor}, not x{wanted:g}; choose another model.")
    return Plan(model, across, tuple(int(f) for f in factors))


def _plan_for_spacing(volume: Volume, request: UpscaleRequest) -> Plan:
    if request.spacing is not None and request.isotropic:
        raise InputError("Give either a target spacing or isotropic, not both.")
    across, spacing = slice_axis(volume), volume.spacing
    if request.isotropic:
        target = (min(spacing),) * 3
    elif isinstance(request.spacing, (int, float)):
        target = tuple(spacing[axis] if axis == across else float(request.spacing) for axis in range(3))
    else:
        target = tuple(float(value) for value in request.spacing)
    if len(target) != 3 or not all(math.isfinite(value) and value > 0 for value in target):
        raise InputError("A target spacing is one or three positive numbers in mm, such as 0.5 or 0.5x0.5x2.")
    needed = [spacing[axis] / target[axis] for axis in range(3)]
    if needed[across] > 1.001:
        raise InputError(
            f"No installed model refines through the slices ({spacing[across]:.3g} to {target[across]:.3g} mm along"
            f" {AXES[across]}); ask for {spacing[across]:.3g} mm there."
        )
    in_plane = max(needed[axis] for axis in range(3) if axis != across)
    if in_plane <= 1.001:
        raise InputError(
            f"The slices have {min(spacing):.3g} mm already; choose a target spacing that is finer than that."
        )
    if request.model:
        model = find_model(request.model)
    else:
        model = _model(request, next((f for f in (2, 4, 8) if f >= in_plane - 1e-3), in_plane))
    if model.factor < in_plane - 1e-3:
        raise InputError(f"x{in_plane:.3g} is more than the model {model.name} can do; choose a coarser spacing.")
    factors = tuple(1 if axis == across else model.factor for axis in range(3))
    return Plan(model, across, factors, target)


def _model(request: UpscaleRequest, factor: float) -> Model:
    return find_model(request.model) if request.model else choose_model(factor, request.quality)
