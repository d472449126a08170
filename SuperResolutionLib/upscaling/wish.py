"""What a request comes to on a scan: by which networks and factors, onto which spacing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..acquisition.survey import Survey, is_plausible_thickness
from ..errors import InputError
from ..geometry.volume import AXES
from ..models.bundles import QUALITIES, Model, choose_model, find_model, installed_models, through_slices_model
from .request import UpscaleRequest

EVENED_OUT = 1.25
"""Up to this factor the slice plane of an isotropic result is interpolated, which loses nothing that can be seen."""
MOST_IN_PLANE = 8
"""The largest refinement of the slice plane: what lies beyond the networks' own factors is interpolated."""
ISOTROPIC_WITHIN = 1.03
"""Voxels whose sides differ by less are isotropic: nobody sees the difference."""


@dataclass(frozen=True)
class Wish:
    """Which networks lead to what was asked for.

    Attributes:
        plane: the model for the slice plane, or None where that is only interpolated or stays.
        through: the model for what lies between the slices, or None.
        factors: of the result along i, j and k, where factors decide its grid.
        spacing: of the result in mm along i, j and k, where a spacing decides its grid, else None.
        from_band: whether the slice plane's network starts from the acquired band of a zero-filled scan.
        labels: whether the voxels are labels, which are carried as they are, without a network.
    """

    plane: Model | None
    through: Model | None
    factors: tuple[int, int, int] = (1, 1, 1)
    spacing: tuple[float, float, float] | None = None
    from_band: bool = False
    labels: bool = False


def wish_for(survey: Survey, request: UpscaleRequest) -> Wish:
    """Return what a request comes to.

    Raises:
        InputError: contradictory wishes, a factor that no model serves, or a slice plane that is one voxel thick.
    """
    if request.quality not in QUALITIES:
        raise InputError(f"There is no quality {request.quality}; choose {', '.join(QUALITIES)}.")
    labels = _carries_labels(survey, request)
    if labels:
        request = replace(
            request, model=None, detail=None, grain=None, adapt=False, thickness=None, level=False, acquired=None
        )
    named = find_model(request.model) if request.model else None
    if request.factor is None and request.spacing is None and named is not None and named.through_slices:
        request = replace(request, isotropic=True)
    if request.spacing is not None or request.isotropic:
        wish = _for_spacing(survey, request, named)
    else:
        wish = _for_factor(survey, request, named)
    if named is not None and named not in (wish.plane, wish.through):
        which = "makes new slices" if named.through_slices else "refines the slice plane"
        raise InputError(f"The model {named.name} {which}, which was not asked for; choose another model, or none.")
    _check(survey, wish, request)
    if labels:
        return replace(wish, plane=None, through=None, labels=True)
    if wish.plane is not None and not request.as_stored and survey.band.zero_filled:
        wish = replace(wish, plane=_plane_from_band(survey, wish, wish.plane, request), from_band=True)
    if request.error:
        _check_error(wish)
    return wish


def _carries_labels(survey: Survey, request: UpscaleRequest) -> bool:
    """Return whether the volume is carried as labels; raise InputError where that was not asked for but is needed."""
    if request.labels not in (None, "nearest", "found"):
        raise InputError(f"Labels are carried by nearest, not by {request.labels}.")
    if request.labels is None and survey.label_map:
        raise InputError(
            "The volume is a mask or a label map, between whose labels a network would invent others; carry the labels"
            " by --labels nearest."
        )
    carries = request.labels == "nearest" or (request.labels == "found" and survey.label_map is not False)
    if carries and request.error:
        raise InputError("Labels are carried without a network, so they have no expected error; ask for them without.")
    return carries


def _for_factor(survey: Survey, request: UpscaleRequest, named: Model | None) -> Wish:
    factor, across = request.factor, survey.slice_axis
    if factor is None:
        factor = 4 if named is None else named.factor
    if isinstance(factor, (int, float)):
        factors: tuple[float, ...] = tuple(1 if axis == across else factor for axis in range(3))
    else:
        factors = tuple(factor)
        if request.named_axis is None and (len(factors) != 3 or len(set(factors)) > 1):
            raise InputError(
                f"No installed model upscales {_by_x(factors)} (i x j x k): the two axes of the slice plane need the"
                " same factor, as in 4x4x1, 1x1x4 or 2x2x2."
            )
        if request.named_axis not in (None, across):
            raise InputError(
                f"The scan was surveyed with its slices across {AXES[across]}, but the factors name another axis; give"
                " survey() the request's named_axis."
            )
    in_plane, through = max(factors[axis] for axis in range(3) if axis != across), factors[across]
    if min(factors) < 1 or max(factors) == 1 or through != int(through):
        raise InputError(f"A factor of {_by_x(factors)} cannot be served; choose one such as 4, 1x1x4 or 2x2x2.")
    if in_plane != int(in_plane) or in_plane > MOST_IN_PLANE:
        raise InputError(
            f"A factor of {_by_x(factors)} cannot be served; choose a whole number up to {MOST_IN_PLANE} for the slice"
            " plane, or give a target spacing."
        )
    plane = _plane_model(named, in_plane, survey.modality, request) if in_plane > 1 else None
    if plane is not None and named is plane and plane.factor < in_plane:
        raise InputError(f"The model {plane.name} upscales x{plane.factor}, not x{in_plane:g}; choose another model.")
    i, j, k = (int(value) for value in factors)
    return Wish(plane, _through_model(named, survey.modality) if through > 1 else None, factors=(i, j, k))


def _for_spacing(survey: Survey, request: UpscaleRequest, named: Model | None) -> Wish:
    if request.spacing is not None and request.isotropic:
        raise InputError("Give either a target spacing or isotropic, not both.")
    across, spacing = survey.slice_axis, survey.spacing
    if request.isotropic:
        target: tuple[float, ...] = (min(spacing),) * 3
    elif isinstance(request.spacing, (tuple, list)):
        target = tuple(float(value) for value in request.spacing)
    else:
        wanted = float(request.spacing or 0)
        target = tuple(spacing[axis] if axis == across else wanted for axis in range(3))
    if len(target) != 3 or not all(math.isfinite(value) and value > 0 for value in target):
        raise InputError("A target spacing is one or three positive numbers in mm, such as 0.5 or 0.5x0.5x2.")
    needed = [spacing[axis] / target[axis] for axis in range(3)]
    in_plane = max(needed[axis] for axis in range(3) if axis != across)
    if max(needed) <= 1.001:
        raise InputError(
            f"The volume has {' x '.join(f'{value:.3g}' for value in spacing)} mm already; choose a target spacing that"
            " is finer than that."
        )
    if request.isotropic and max(needed) < ISOTROPIC_WITHIN:
        raise InputError("The volume is isotropic already but for a few per cent; choose a finer target spacing.")
    plane = None
    if in_plane > MOST_IN_PLANE * 1.001:
        raise InputError(
            f"That is x{in_plane:.3g} in the slice plane, and x{MOST_IN_PLANE} is the most that can be served; choose a"
            " coarser spacing."
        )
    if in_plane > (EVENED_OUT if request.isotropic else 1.001):
        plane = _plane_model(named, in_plane, survey.modality, request)
        if named is plane and plane.factor < in_plane - 1e-3:
            raise InputError(f"x{in_plane:.3g} is more than the model {plane.name} can do; choose a coarser spacing.")
    through = _through_model(named, survey.modality) if needed[across] > 1.001 else None
    i, j, k = target
    return Wish(plane, through, spacing=(i, j, k))


def _plane_model(named: Model | None, needed: float, modality: str | None, request: UpscaleRequest) -> Model:
    """Return the named model, or the one of the smallest factor that is at least ``needed``, or of the largest."""
    if named is not None and not named.through_slices:
        return named
    factors = sorted({model.factor for model in installed_models() if not model.through_slices})
    factor = next((f for f in factors if f >= needed - 1e-3), factors[-1])
    return choose_model(factor, request.quality, modality=modality, with_detail=bool(request.detail))


def _through_model(named: Model | None, modality: str | None) -> Model:
    return named if named is not None and named.through_slices else through_slices_model(modality)


def _check(survey: Survey, wish: Wish, request: UpscaleRequest) -> None:
    dimensions, across = survey.grid.dimensions, survey.slice_axis
    thin = [AXES[axis] for axis in range(3) if axis != across and dimensions[axis] < 2]
    if thin:
        raise InputError(
            f"The volume is one voxel thick along {thin[0]}, which lies in the slice plane; choose a volume with whole"
            " slices, or name the plane's axes by a factor such as 1x4x4."
        )
    if wish.through is None and (request.adapt or request.level or request.thickness is not None):
        raise InputError(
            "A slice thickness, adapting to the scan or levelling the slices only matters for new slices; ask for an"
            " isotropic result or a factor such as 1x1x4 as well."
        )
    if request.acquired is not None and request.as_stored:
        raise InputError("Give either the acquired matrix or as stored, not both.")
    if request.acquired is not None and wish.plane is None:
        raise InputError(
            "An acquired matrix only matters where a network refines the slice plane; ask for that too, as by a factor"
            " of 2, or leave it out."
        )
    if wish.through is not None and dimensions[across] < 2:
        raise InputError("The volume has a single slice, so there is nothing between slices; choose another volume.")
    spacing = survey.spacing[across]
    if request.thickness is not None and not is_plausible_thickness(request.thickness, spacing):
        raise InputError(
            f"A slice thickness of {request.thickness:g} mm does not go with slices that are {spacing:.3g} mm"
            f" apart; give one from {0.2 * spacing:.3g} to {3 * spacing:.3g} mm."
        )
    if request.output_type not in ("input", "float"):
        raise InputError(f"The output type is input or float, not {request.output_type}.")
    if request.grain is not None and not 0 <= request.grain <= 1:
        raise InputError(f"A share of the grain lies between 0 and 1, unlike {request.grain:g}.")
    if request.grain and wish.plane is None:
        raise InputError("Grain is added where the slice plane is refined, which was not asked for; leave it out.")


def _check_error(wish: Wish) -> None:
    models = [model for model in (wish.plane, wish.through) if model is not None]
    if not models:
        raise InputError("No network runs for this result, so it has no expected error; ask for it without.")
    for model in models:
        if not model.predicts_error:
            raise InputError(
                f"The model {model.name} does not predict its error; choose another model or quality, or ask for the"
                " result without its expected error."
            )


def _plane_from_band(survey: Survey, wish: Wish, plane: Model, request: UpscaleRequest) -> Model:
    """Return the model that leads from the acquired band of a zero-filled scan to the grid that was asked for.

    The network starts from fewer samples than are stored, so it needs a larger factor: the smallest that reaches the
    grid along both axes, or the largest there is (a model that the user named is kept). One resampling does the rest.
    """
    if request.model is not None:
        return plane
    band, in_plane = survey.band, [axis for axis in range(3) if axis != survey.slice_axis]
    spacing = wish.spacing or [old / factor for old, factor in zip(band.spacing, wish.factors)]
    needed = max(band.acquired_spacing[axis] / spacing[axis] for axis in in_plane)
    suited = _plane_model(None, needed, survey.modality, request)
    # A detail that was chosen with the asked-for model in mind must be one that the other can show.
    return suited if suited.has_detail or not request.detail else plane


def _by_x(values: tuple[float, ...]) -> str:
    return "x".join(f"{value:g}" for value in values)
