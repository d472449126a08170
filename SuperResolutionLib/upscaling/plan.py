"""From what the user asked for to what will be computed: the slice plane, new slices, the factors, the output grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..acquisition.acquired_band import AcquiredBand
from ..errors import InputError
from ..geometry.grid import Grid
from ..geometry.volume import Volume, refined_matrix
from ..models.bundles import QUALITIES, Model, choose_model, find_model, installed_models, through_slices_model

AXES = "ijk"
EVENED_OUT = 1.25
"""Up to this factor the slice plane of an isotropic result is interpolated, which loses nothing that can be seen."""


@dataclass(frozen=True)
class UpscaleRequest:
    """What the user asked for. Exactly one of ``factor``, ``spacing`` and ``isotropic`` decides the output grid.

    Attributes:
        factor: a number for the slice plane (4), or one per axis i, j, k ((2, 2, 1) or (1, 1, 4) or (2, 2, 2)); None
            where one of the next two decides, or else the model: its factor, or isotropic.
        spacing: mm, a number for the slice plane or one per axis i, j, k.
        isotropic: refine all axes to the finest spacing.
        model: an installed model's name or a model folder, for the slice plane or for what lies between the slices, as
            the model says; None chooses by factor and quality.
        detail: 0 (fidelity) to 1 (perceptual); None takes the model's default.
        region: two opposite corners R, A, S, R, A, S of a box in mm; only the voxels that it touches are computed.
        box: first and last (excluded) index along i, j and k; only these voxels are computed, instead of a region.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        quality: ``fast`` (compact network), ``standard`` (RRDB where one is installed) or ``best`` (plus the
            eight-fold flip and rotate ensemble).
        consistency: hold the measured band (see ``consistency.HeldBand``).
        uncertainty: also return the ensemble's standard deviation; runs the ensemble whatever the quality.
        output_type: ``input`` keeps the scalar type, ``float`` gives float32.
        as_stored: upscale a zero-filled scan from its stored voxels instead of the acquired band. The output grid is
            the same either way: ``factor`` counts from the stored grid.
        thickness: mm, the slices' (FWHM of the profile); None takes the file's, or else the spacing. It matters only
            where new slices are asked for.
        adapt: fine-tune the network that makes new slices on the volume's own slices first; see ``adaptation``.
    """

    factor: int | tuple[int, int, int] | None = 4
    spacing: float | tuple[float, float, float] | None = None
    isotropic: bool = False
    model: str | None = None
    detail: float | None = None
    region: tuple[float, float, float, float, float, float] | None = None
    box: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    device: str = "auto"
    quality: str = "standard"
    consistency: bool = True
    uncertainty: bool = False
    output_type: str = "input"
    as_stored: bool = False
    thickness: float | None = None
    adapt: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be computed, in two steps, of which one may be missing: the slice plane, then through the slices.

    Attributes:
        model: for the slice plane, or None where it is only interpolated or stays.
        slice_axis: the axis across the slices, 0, 1, 2 for i, j, k.
        factors: that network's factor per axis i, j, k.
        final_spacing: mm along i, j, k, where that was asked for and needs a resampling afterwards, else None.
        through: the model for what lies between the slices, or None.
        slice_factor: rows to a slice, where factors decide the output grid.
        thickness: of the slices, mm. thickness_from: who says so, in words.
    """

    model: Model | None
    slice_axis: int
    factors: tuple[int, int, int]
    final_spacing: tuple[float, float, float] | None = None
    through: Model | None = None
    slice_factor: int = 1
    thickness: float = 0.0
    thickness_from: str = ""

    def output_grid(self, wanted: Volume) -> Grid:
        """Return the grid that the plan leads to over the box of ``wanted``."""
        if self.final_spacing:
            return Grid(wanted.ijk_to_ras, wanted.dimensions).at_spacing(self.final_spacing)
        return _refined_grid(wanted, _with(self.factors, self.slice_axis, self.slice_factor))

    def slice_plane_grid(self, wanted: Volume) -> Grid:
        """Return the grid after the first step, with the slices as they are."""
        if self.final_spacing:
            spacing = _with(self.final_spacing, self.slice_axis, wanted.spacing[self.slice_axis])
            return Grid(wanted.ijk_to_ras, wanted.dimensions).at_spacing(spacing)
        return _refined_grid(wanted, self.factors)


def _refined_grid(wanted: Volume, factors: tuple[int, int, int]) -> Grid:
    dimensions = tuple(size * factor for size, factor in zip(wanted.dimensions, factors))
    return Grid(refined_matrix(wanted.ijk_to_ras, factors), dimensions)


def _with(values: tuple, axis: int, value: float) -> tuple:
    """Return ``values`` with ``value`` at ``axis``."""
    return (*values[:axis], value, *values[axis + 1 :])


def slice_axis(volume: Volume) -> int:
    """Return the axis across the slices: the coarsest one, k where it ties (to 0.1 %) or has a single voxel."""
    spacing = volume.spacing
    if volume.dimensions[2] == 1 or spacing[2] >= max(spacing) * 0.999:
        return 2
    return max(range(3), key=lambda axis: spacing[axis])


def plan_upscale(volume: Volume, request: UpscaleRequest) -> Plan:
    """Decide what to compute for a request.

    Raises:
        InputError: contradictory wishes, a factor that no model serves, or a slice plane that is one voxel thick.
    """
    if request.quality not in QUALITIES:
        raise InputError(f"There is no quality {request.quality}; choose {', '.join(QUALITIES)}.")
    if (
        request.factor is None
        and request.spacing is None
        and request.model
        and find_model(request.model).through_slices
    ):
        request = replace(request, isotropic=True)
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
    if plan.through is None:
        if request.adapt or request.thickness is not None:
            raise InputError(
                "A slice thickness, or adapting to the scan, only matters for new slices; ask for an isotropic result"
                " or a factor such as 1x1x4 as well."
            )
        return plan
    if volume.dimensions[plan.slice_axis] < 2:
        raise InputError("The volume has a single slice, so there is nothing between slices; choose another volume.")
    thickness, source = _thickness(volume, plan.slice_axis, request)
    return replace(plan, thickness=thickness, thickness_from=source)


def _thickness(volume: Volume, axis: int, request: UpscaleRequest) -> tuple[float, str]:
    spacing = volume.spacing[axis]
    if request.thickness is not None:
        if not 0.2 * spacing <= request.thickness <= 3 * spacing:
            raise InputError(
                f"A slice thickness of {request.thickness:g} mm does not go with slices that are {spacing:.3g} mm"
                f" apart; give one from {0.2 * spacing:.3g} to {3 * spacing:.3g} mm."
            )
        return float(request.thickness), "the request"
    if volume.slice_thickness and 0.2 * spacing <= volume.slice_thickness <= 3 * spacing:
        return volume.slice_thickness, "the file"
    return spacing, "the slice spacing"


def plan_from_band(asked: Plan, band: AcquiredBand, request: UpscaleRequest) -> Plan:
    """Return the plan that leads from the acquired band of a zero-filled scan to the grid that ``asked`` leads to.

    The network starts from fewer samples than are stored, so it needs a larger factor: the smallest that reaches the
    grid along both axes, or the largest there is (a model that the user named is kept). One resampling does the rest.
    """
    spacing = asked.final_spacing or tuple(old / factor for old, factor in zip(band.spacing, asked.factors))
    needed = max(band.acquired_spacing[axis] / spacing[axis] for axis in range(3) if axis != asked.slice_axis)
    model = asked.model
    if request.model is None:
        factors = sorted({model.factor for model in installed_models() if not model.through_slices})
        suited = choose_model(next((f for f in factors if f >= needed - 1e-3), factors[-1]), request.quality)
        # A detail that was chosen with the asked-for model in mind must be one that the other can show.
        model = suited if suited.has_detail or not request.detail else model
    factors = tuple(1 if axis == asked.slice_axis else model.factor for axis in range(3))
    return replace(asked, model=model, factors=factors, final_spacing=spacing)


def _plan_for_factor(volume: Volume, request: UpscaleRequest) -> Plan:
    named = find_model(request.model) if request.model else None
    factor = request.factor
    if factor is None:
        factor = 4 if named is None else named.factor
    if isinstance(factor, (int, float)):
        across = slice_axis(volume)
        factors = _with((factor,) * 3, across, 1)
    else:
        factors = tuple(factor)
        across = _axis_of_other_factor(volume, factors)
    in_plane, through = max(factors[axis] for axis in range(3) if axis != across), factors[across]
    if min(factors) < 1 or max(factors) == 1 or through != int(through):
        raise InputError(f"A factor of {_by_x(factors)} cannot be served; choose one such as 4, 1x1x4 or 2x2x2.")
    model = _slice_plane_model(named, in_plane, request) if in_plane > 1 else None
    if model is not None and model.factor != in_plane:
        raise InputError(f"The model {model.name} upscales x{model.factor}, not x{in_plane:g}; choose another model.")
    through_model = _through_model(named) if through > 1 else None
    _check_that_named_model_serves(named, model, through_model)
    factors = tuple(int(f) for f in _with(factors, across, 1))
    return Plan(model, across, factors, through=through_model, slice_factor=int(through))


def _axis_of_other_factor(volume: Volume, factors: tuple[float, ...]) -> int:
    """Return the axis whose factor differs from the two others, which is the one across the slices."""
    if len(factors) == 3 and len(set(factors)) == 1:
        return slice_axis(volume)
    others = [axis for axis in range(3) if factors.count(factors[axis]) == 1] if len(factors) == 3 else []
    if len(others) != 1:
        raise InputError(
            f"No installed model upscales {_by_x(factors)} (i x j x k): the two axes of the slice plane need the same"
            " factor, as in 4x4x1, 1x1x4 or 2x2x2."
        )
    return others[0]


def _plan_for_spacing(volume: Volume, request: UpscaleRequest) -> Plan:
    if request.spacing is not None and request.isotropic:
        raise InputError("Give either a target spacing or isotropic, not both.")
    named = find_model(request.model) if request.model else None
    across, spacing = slice_axis(volume), volume.spacing
    if request.isotropic:
        target = (min(spacing),) * 3
    elif isinstance(request.spacing, (int, float)):
        target = _with((float(request.spacing),) * 3, across, spacing[across])
    else:
        target = tuple(float(value) for value in request.spacing)
    if len(target) != 3 or not all(math.isfinite(value) and value > 0 for value in target):
        raise InputError("A target spacing is one or three positive numbers in mm, such as 0.5 or 0.5x0.5x2.")
    needed = [spacing[axis] / target[axis] for axis in range(3)]
    in_plane = max(needed[axis] for axis in range(3) if axis != across)
    if max(needed) <= 1.001:
        raise InputError(
            f"The volume has {' x '.join(f'{value:.3g}' for value in spacing)} mm already; choose a target spacing that"
            " is finer than that."
        )
    if in_plane <= (EVENED_OUT if request.isotropic else 1.001):
        model, factors = None, (1, 1, 1)
    else:
        model = _slice_plane_model(named, next((f for f in (2, 4, 8) if f >= in_plane - 1e-3), in_plane), request)
        if model.factor < in_plane - 1e-3:
            raise InputError(f"x{in_plane:.3g} is more than the model {model.name} can do; choose a coarser spacing.")
        factors = _with((model.factor,) * 3, across, 1)
    through = _through_model(named) if needed[across] > 1.001 else None
    _check_that_named_model_serves(named, model, through)
    if model is None and through is None:
        raise InputError("The volume is isotropic already but for a few per cent; choose a finer target spacing.")
    return Plan(model, across, factors, target, through)


def _slice_plane_model(named: Model | None, factor: float, request: UpscaleRequest) -> Model:
    return choose_model(factor, request.quality) if named is None or named.through_slices else named


def _through_model(named: Model | None) -> Model:
    return named if named is not None and named.through_slices else through_slices_model()


def _check_that_named_model_serves(named: Model | None, *used: Model | None) -> None:
    if named is not None and named not in used:
        which = "makes new slices" if named.through_slices else "refines the slice plane"
        raise InputError(f"The model {named.name} {which}, which was not asked for; choose another model, or none.")


def _by_x(values: tuple[float, ...]) -> str:
    return "x".join(f"{value:g}" for value in values)
