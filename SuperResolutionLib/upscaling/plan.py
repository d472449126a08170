"""From what a scan is and what the user asked for to what will be computed. No voxel is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..acquisition.acquired_band import AcquiredBand
from ..acquisition.survey import Survey, is_plausible_thickness
from ..errors import InputError
from ..geometry.grid import Box, Grid
from ..geometry.volume import AXES
from ..models.bundles import QUALITIES, Model, choose_model, find_model, installed_models, through_slices_model
from .acquired_band import TakeAcquiredBand
from .carry_labels import CarryLabels
from .new_slices import MakeNewSlices
from .request import UpscaleRequest
from .resample import Resample
from .run import Step
from .slice_plane import CONTEXT, RefineSlicePlane

EVENED_OUT = 1.25
"""Up to this factor the slice plane of an isotropic result is interpolated, which loses nothing that can be seen."""
ISOTROPIC_WITHIN = 1.03
"""Voxels whose sides differ by less are isotropic: nobody sees the difference."""
PROGRAM_BYTES = 6e8
"""Python, PyTorch and the tiles in work; measured."""


@dataclass(frozen=True)
class Plan:
    """What will be computed: final before the first voxel is.

    Attributes:
        survey: of the scan, whose slices lie as the request says. request: what was asked for.
        box: the voxels of the scan that were asked for.
        steps: what is done, one after the other.
        grid: of the result.
        decisions: why it is done so, a sentence each. warnings: what the user should know before, in sentences.
    """

    survey: Survey
    request: UpscaleRequest
    box: Box
    steps: tuple[Step, ...]
    grid: Grid
    decisions: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def slice_plane(self) -> RefineSlicePlane | None:
        """The step that refines the slice plane, if there is one."""
        return next((step for step in self.steps if isinstance(step, RefineSlicePlane)), None)

    @property
    def new_slices(self) -> MakeNewSlices | None:
        """The step that makes new slices, if there is one."""
        return next((step for step in self.steps if isinstance(step, MakeNewSlices)), None)

    @property
    def takes_band(self) -> bool:
        """Whether it begins with the acquired band of a zero-filled scan."""
        return any(isinstance(step, TakeAcquiredBand) for step in self.steps)

    @property
    def finer(self) -> tuple[float, float, float]:
        """How many times finer than what the first network sees the result is, along i, j and k."""
        seen = self.survey.band.acquired_spacing if self.takes_band else self.survey.spacing
        return tuple(float(old / new) for old, new in zip(seen, self.grid.spacing))

    @property
    def result_bytes(self) -> int:
        """Size of the result in memory."""
        wide = 4 if self.request.output_type == "float" else self.survey.volume.voxels.dtype.itemsize
        return math.prod(self.grid.dimensions) * wide

    @property
    def memory_bytes(self) -> float:
        """What the program needs at its highest: itself, the scan, and the result twice, once in its writer."""
        return PROGRAM_BYTES + self.survey.volume.voxels.nbytes + 2 * self.result_bytes

    @property
    def megavoxels(self) -> float:
        """The work: voxels of the result in millions, times eight where the network runs eight times."""
        passes = 8 if self.request.quality == "best" or self.request.uncertainty else 1
        return passes * math.prod(self.grid.dimensions) / 1e6


def plan(survey: Survey, request: UpscaleRequest) -> Plan:
    """Decide what to compute for a request.

    Raises:
        InputError: a scan that cannot be upscaled, contradictory wishes, a factor that no model serves, a slice plane
            that is one voxel thick, a region off the scan.

    Example::

        print(*plan(survey(read_volume("t1.nii.gz")), UpscaleRequest(isotropic=True, factor=None)).decisions, sep="\\n")
    """
    if survey.flaw:
        raise InputError(survey.flaw)
    carries_labels = _carries_labels(survey, request)
    if carries_labels:
        request = replace(request, model=None, detail=None, adapt=False, thickness=None)
    wish = _wish(survey, request)
    survey = survey.across(wish.slice_axis, "the factors that were asked for")
    _check(survey, wish, request)
    box = _wanted_box(survey.grid, request)
    target = wish.output_grid(survey.grid.cropped(box))
    final_type = "float32" if request.output_type == "float" else str(survey.volume.voxels.dtype)
    band_used = survey.band.zero_filled and not request.as_stored and wish.model is not None
    steps: list[Step] = []
    if carries_labels:
        steps, band_used, wish = [CarryLabels(target, final_type)], False, replace(wish, model=None, through=None)
    plane_box, plane_grid, plane_type = box, target, final_type
    if wish.through is not None:
        plane_box = _with_surroundings(box, survey.grid, wish)
        plane_grid, plane_type = wish.slice_plane_grid(survey.grid.cropped(plane_box)), "float32"
    if band_used:
        steps.append(TakeAcquiredBand(survey.band))
    if wish.model is not None:
        steps.append(_slice_plane_step(survey, wish, request, plane_box, plane_grid, plane_type, band_used))
    if wish.through is not None:
        steps.append(_new_slices_step(survey, wish, request, plane_box, plane_grid, target, final_type))
    if not steps:
        steps.append(Resample(target, final_type))
    return Plan(
        survey=survey,
        request=request,
        box=box,
        steps=tuple(steps),
        grid=target,
        decisions=tuple(_decisions(survey, request, box, steps, band_used)),
        warnings=tuple(_warnings(survey, steps)),
    )


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
    if carries and request.uncertainty:
        raise InputError("Labels are carried without a network, so they have no uncertainty; ask for them without.")
    return carries


@dataclass(frozen=True)
class _Wish:
    """What a request comes to on a scan whose every frequency was acquired.

    ``model`` is for the slice plane, or None where that is only interpolated or stays; ``factors`` are its factors
    along i, j and k. ``through`` is for what lies between the slices, or None; ``slice_factor`` are its rows to a slice
    where factors decide the grid. ``final_spacing`` is in mm along i, j, k where a spacing decides it, else None.
    """

    model: Model | None
    slice_axis: int
    factors: tuple[int, int, int]
    final_spacing: tuple[float, float, float] | None = None
    through: Model | None = None
    slice_factor: int = 1

    def output_grid(self, wanted: Grid) -> Grid:
        """Return the grid of the result over ``wanted``."""
        if self.final_spacing:
            return wanted.at_spacing(self.final_spacing)
        return wanted.refined(_with(self.factors, self.slice_axis, self.slice_factor))

    def slice_plane_grid(self, wanted: Grid) -> Grid:
        """Return the grid over ``wanted`` once the slice plane is refined, with the slices as they are."""
        if self.final_spacing:
            spacing = _with(self.final_spacing, self.slice_axis, float(wanted.spacing[self.slice_axis]))
            return wanted.at_spacing(spacing)
        return wanted.refined(self.factors)


def _with(values: tuple, axis: int, value: float) -> tuple:
    """Return ``values`` with ``value`` at ``axis``."""
    return (*values[:axis], value, *values[axis + 1 :])


def _wish(survey: Survey, request: UpscaleRequest) -> _Wish:
    if request.quality not in QUALITIES:
        raise InputError(f"There is no quality {request.quality}; choose {', '.join(QUALITIES)}.")
    named = find_model(request.model) if request.model else None
    if request.factor is None and request.spacing is None and named is not None and named.through_slices:
        request = replace(request, isotropic=True)
    if request.spacing is not None or request.isotropic:
        return _wish_for_spacing(survey, request, named)
    return _wish_for_factor(survey, request, named)


def _wish_for_factor(survey: Survey, request: UpscaleRequest, named: Model | None) -> _Wish:
    factor = request.factor
    if factor is None:
        factor = 4 if named is None else named.factor
    if isinstance(factor, (int, float)):
        across = survey.slice_axis
        factors = _with((factor,) * 3, across, 1)
    else:
        factors = tuple(factor)
        across = _axis_of_other_factor(survey, factors)
    in_plane, through = max(factors[axis] for axis in range(3) if axis != across), factors[across]
    if min(factors) < 1 or max(factors) == 1 or through != int(through):
        raise InputError(f"A factor of {_by_x(factors)} cannot be served; choose one such as 4, 1x1x4 or 2x2x2.")
    model = _slice_plane_model(named, in_plane, request) if in_plane > 1 else None
    if model is not None and model.factor != in_plane:
        raise InputError(f"The model {model.name} upscales x{model.factor}, not x{in_plane:g}; choose another model.")
    through_model = _through_model(named) if through > 1 else None
    _check_that_named_model_serves(named, model, through_model)
    factors = tuple(int(f) for f in _with(factors, across, 1))
    return _Wish(model, across, factors, through=through_model, slice_factor=int(through))


def _axis_of_other_factor(survey: Survey, factors: tuple[float, ...]) -> int:
    """Return the axis whose factor differs from the two others, which is the one across the slices."""
    if len(factors) == 3 and len(set(factors)) == 1:
        return survey.slice_axis
    others = [axis for axis in range(3) if factors.count(factors[axis]) == 1] if len(factors) == 3 else []
    if len(others) != 1:
        raise InputError(
            f"No installed model upscales {_by_x(factors)} (i x j x k): the two axes of the slice plane need the same"
            " factor, as in 4x4x1, 1x1x4 or 2x2x2."
        )
    return others[0]


def _wish_for_spacing(survey: Survey, request: UpscaleRequest, named: Model | None) -> _Wish:
    if request.spacing is not None and request.isotropic:
        raise InputError("Give either a target spacing or isotropic, not both.")
    across, spacing = survey.slice_axis, survey.spacing
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
    if model is None and through is None and max(needed) < ISOTROPIC_WITHIN:
        raise InputError("The volume is isotropic already but for a few per cent; choose a finer target spacing.")
    return _Wish(model, across, factors, target, through)


def _slice_plane_model(named: Model | None, factor: float, request: UpscaleRequest) -> Model:
    return choose_model(factor, request.quality) if named is None or named.through_slices else named


def _through_model(named: Model | None) -> Model:
    return named if named is not None and named.through_slices else through_slices_model()


def _check_that_named_model_serves(named: Model | None, *used: Model | None) -> None:
    if named is not None and named not in used:
        which = "makes new slices" if named.through_slices else "refines the slice plane"
        raise InputError(f"The model {named.name} {which}, which was not asked for; choose another model, or none.")


def _check(survey: Survey, wish: _Wish, request: UpscaleRequest) -> None:
    dimensions, across = survey.grid.dimensions, wish.slice_axis
    thin = [AXES[axis] for axis in range(3) if axis != across and dimensions[axis] < 2]
    if thin:
        raise InputError(
            f"The volume is one voxel thick along {thin[0]}, which lies in the slice plane; choose a volume with whole"
            " slices, or name the plane's axes by a factor such as 1x4x4."
        )
    if wish.through is None and (request.adapt or request.thickness is not None):
        raise InputError(
            "A slice thickness, or adapting to the scan, only matters for new slices; ask for an isotropic result"
            " or a factor such as 1x1x4 as well."
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
    if request.uncertainty and wish.model is None and wish.through is None:
        raise InputError("No network runs for this result, so it has no uncertainty; ask for it without.")


def _wanted_box(grid: Grid, request: UpscaleRequest) -> Box:
    """Return the index box, first and last (excluded) along i, j and k, of the voxels that were asked for."""
    first, last = request.box or ((0, 0, 0), grid.dimensions)
    if not all(0 <= low < high <= size for low, high, size in zip(first, last, grid.dimensions)):
        size = " x ".join(map(str, grid.dimensions))
        raise InputError(f"There is no box from index {first} to {last}; choose one within {size} voxels.")
    if request.region is not None:
        if request.box is not None:
            raise InputError("Give either a region in mm or a box of indices, not both.")
        if len(request.region) != 6 or not np.isfinite(request.region).all():
            raise InputError("A region is six numbers in mm, R,A,S of one corner and R,A,S of the opposite one.")
        first, last = grid.box_of_region(request.region)
    return tuple(first), tuple(last)


def _with_surroundings(box: Box, grid: Grid, wish: _Wish) -> Box:
    """Return ``box`` with the voxels around it that the network through the slices looks at."""
    first, last = [], []
    for axis, (low, high, size) in enumerate(zip(*box, grid.dimensions)):
        in_slices = axis == wish.slice_axis
        margin = wish.through.slice_halo if in_slices else -(-wish.through.halo // wish.factors[axis])
        first.append(max(0, low - margin))
        last.append(min(size, high + margin))
    return tuple(first), tuple(last)


def _slice_plane_step(
    survey: Survey, wish: _Wish, request: UpscaleRequest, box: Box, grid: Grid, scalar_type: str, from_band: bool
) -> RefineSlicePlane:
    model, source = wish.model, survey.grid.dimensions
    if from_band:
        model, source = _model_for_band(survey.band, wish, request), survey.band.dimensions
    detail = model.default_detail if request.detail is None else float(request.detail)
    model.digest(detail)  # refuses a detail that the model does not have
    return RefineSlicePlane(
        model=model,
        detail=detail,
        slice_axis=wish.slice_axis,
        computed=_with_context(box, source, survey.grid.dimensions, wish.slice_axis, model.halo),
        grid=grid,
        from_band=from_band,
        scalar_type=scalar_type,
        ensemble=request.quality == "best" or request.uncertainty,
        spread=request.uncertainty and wish.through is None,
        hold=request.consistency,
        chosen_by="as was asked for" if request.model is not None else f"chosen by quality {request.quality}",
    )


def _model_for_band(band: AcquiredBand, wish: _Wish, request: UpscaleRequest) -> Model:
    """Return the model that leads from the acquired band of a zero-filled scan to the grid that was asked for.

    The network starts from fewer samples than are stored, so it needs a larger factor: the smallest that reaches the
    grid along both axes, or the largest there is (a model that the user named is kept). One resampling does the rest.
    """
    if request.model is not None:
        return wish.model
    spacing = wish.final_spacing or tuple(old / factor for old, factor in zip(band.spacing, wish.factors))
    needed = max(band.acquired_spacing[axis] / spacing[axis] for axis in range(3) if axis != wish.slice_axis)
    factors = sorted({model.factor for model in installed_models() if not model.through_slices})
    suited = choose_model(next((f for f in factors if f >= needed - 1e-3), factors[-1]), request.quality)
    # A detail that was chosen with the asked-for model in mind must be one that the other can show.
    return suited if suited.has_detail or not request.detail else wish.model


def _with_context(
    box: Box, source: tuple[int, int, int], stored: tuple[int, int, int], slice_axis: int, halo: int
) -> Box:
    """Return the voxels of a step's input to compute: all that ``box`` touches, and in-plane context.

    Args:
        box: of stored voxels, of which there are ``stored`` along i, j and k.
        source: dimensions of the step's input, which fills the same space.
    """
    first, last = [], []
    for axis, (low, high, size, count) in enumerate(zip(*box, source, stored)):
        margin = 0 if axis == slice_axis else halo + CONTEXT
        first.append(max(0, low * size // count - margin))
        last.append(min(size, -(-high * size // count) + margin))
    return tuple(first), tuple(last)


def _new_slices_step(
    survey: Survey, wish: _Wish, request: UpscaleRequest, box: Box, plane: Grid, grid: Grid, scalar_type: str
) -> MakeNewSlices:
    asked = request.thickness is not None
    # With a model for the slice plane, the detail that was asked for is that model's.
    detail = float(request.detail or 0.0) if wish.model is None else 0.0
    wish.through.digest(detail)  # refuses a detail that the model does not have
    return MakeNewSlices(
        model=wish.through,
        detail=detail,
        slice_axis=wish.slice_axis,
        box=box if wish.model is None else ((0, 0, 0), plane.dimensions),
        grid=grid,
        thickness=float(request.thickness) if asked else survey.thickness,
        thickness_from="the request" if asked else survey.thickness_from,
        adapt=request.adapt,
        stored_plane=wish.model is None,
        scalar_type=scalar_type,
        ensemble=request.quality == "best" or request.uncertainty,
        spread=request.uncertainty,
        hold=request.consistency,
    )


def _decisions(survey: Survey, request: UpscaleRequest, box: Box, steps: list[Step], band_used: bool) -> list[str]:
    decisions = [f"The slice axis is {AXES[survey.slice_axis]}: so says {survey.slice_axis_from}."]
    if box != ((0, 0, 0), survey.grid.dimensions):
        wanted, whole = survey.grid.cropped(box).dimensions, survey.grid.dimensions
        decisions.append(f"Of {' x '.join(map(str, whole))} voxels, {' x '.join(map(str, wanted))} are upscaled.")
    if not band_used:
        decisions.append(survey.band.sentence(as_stored=True))
    decisions += [step.sentence for step in steps]
    if not request.consistency:
        decisions.append("What was measured is not held, as was asked for.")
    return decisions


def _warnings(survey: Survey, steps: list[Step]) -> list[str]:
    warnings = list(survey.volume.notes)
    if survey.label_map is None and not any(isinstance(step, CarryLabels) for step in steps):
        warnings.append("The volume has two values only; if it is a mask, --labels nearest carries it exactly.")
    for model in (step.model for step in steps if isinstance(step, (RefineSlicePlane, MakeNewSlices))):
        if survey.modality and survey.modality != model.modality:
            warnings.append(f"The model {model.name} was trained on {model.modality}, and this is {survey.modality}.")
    if survey.volume.is_sheared:
        warnings.append("The volume's axes are not at right angles; the result is sheared in the same way.")
    return warnings


def _by_x(values: tuple[float, ...]) -> str:
    return "x".join(f"{value:g}" for value in values)
