"""From what a scan is and what the user asked for to what will be computed. No voxel is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..acquisition.survey import Survey
from ..errors import InputError
from ..geometry.grid import Box, Grid
from ..geometry.ijk import ijk
from ..geometry.volume import AXES
from .places import places_for
from .request import UpscaleRequest
from .run import Step
from .steps.acquired_band import TakeAcquiredBand
from .steps.carry_labels import CarryLabels
from .steps.new_slices import MakeNewSlices
from .steps.resample import Resample
from .steps.slice_plane import RefineSlicePlane
from .wish import wish_for

PROGRAM_BYTES = 6e8
"""Python, PyTorch and the tiles in work; measured."""


@dataclass(frozen=True)
class Plan:
    """What will be computed: final before the first voxel is.

    Attributes:
        survey: of the scan. request: what was asked for.
        box: the voxels of the scan that were asked for.
        steps: what is done, one after the other.
        grid: of the result.
    """

    survey: Survey
    request: UpscaleRequest
    box: Box
    steps: tuple[Step, ...]
    grid: Grid

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
        return ijk(float(old / new) for old, new in zip(seen, self.grid.spacing))

    @property
    def result_bytes(self) -> int:
        """Size of the result in memory."""
        wide = 4 if self.request.output_type == "float" else self.survey.volume.voxels.dtype.itemsize
        return math.prod(self.grid.dimensions) * wide

    @property
    def memory_bytes(self) -> float:
        """What the program needs at its highest: itself, the scan, the result, and what that is made of.

        New slices are float32 before they have the result's type, and what no network saw is put back into a copy.
        """
        needed = PROGRAM_BYTES + self.survey.volume.voxels.nbytes + self.result_bytes
        if self.new_slices is not None:
            needed += 2 * 4 * math.prod(self.grid.dimensions)
        return needed + (0 if self.survey.absent is None else self.result_bytes)

    @property
    def megavoxels(self) -> float:
        """The work: voxels of the result in millions, times eight where the network runs eight times."""
        passes = 8 if self.request.quality == "best" else 1
        return passes * math.prod(self.grid.dimensions) / 1e6

    @property
    def decisions(self) -> tuple[str, ...]:
        """Why it is done so, a sentence for each decision."""
        whole = self.survey.grid
        sentences = [f"The slice axis is {AXES[self.survey.slice_axis]}: so says {self.survey.slice_axis_from}."]
        if self.box != ((0, 0, 0), whole.dimensions):
            sizes = [" x ".join(map(str, size)) for size in (whole.dimensions, whole.cropped(self.box).dimensions)]
            sentences.append(f"Of {sizes[0]} voxels, {sizes[1]} are upscaled.")
        if self.survey.absent is not None and self.survey.absent.padding_sentence:
            sentences.append(self.survey.absent.padding_sentence)
        if not self.takes_band:
            sentences.append(self.survey.band.sentence(as_stored=True))
        sentences += [step.sentence for step in self.steps]
        if self.slice_plane is not None and any(
            abs(finer - self.slice_plane.model.factor) > 1e-3
            for axis, finer in enumerate(self.finer)
            if axis != self.survey.slice_axis
        ):
            sentences.append("Its answer is resampled once, to the pixels that were asked for.")
        if not self.request.consistency:
            sentences.append("What was measured is not held, as was asked for.")
        return tuple(sentences)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know before, in sentences."""
        modality, sentences = self.survey.modality, list(self.survey.volume.notes)
        if self.survey.label_map is None and not any(isinstance(step, CarryLabels) for step in self.steps):
            sentences.append("The volume has two values only; if it is a mask, --labels nearest carries it exactly.")
        for model in (step.model for step in (self.slice_plane, self.new_slices) if step is not None):
            if modality and modality != model.modality:
                sentences.append(f"The model {model.name} was trained on {model.modality}, and this is {modality}.")
        if self.survey.absent is not None and self.survey.absent.outlier_sentence:
            sentences.append(self.survey.absent.outlier_sentence)
        if self.survey.volume.is_sheared:
            sentences.append("The volume's axes are not at right angles; the result is sheared in the same way.")
        return tuple(sentences)


def plan(survey: Survey, request: UpscaleRequest) -> Plan:
    """Decide what to compute for a request.

    Raises:
        InputError: a scan that cannot be upscaled, contradictory wishes, a factor that no model serves, a slice plane
            that is one voxel thick, a region off the scan, a detail that a model does not have.

    Example::

        print(*plan(survey(read_volume("t1.nii.gz")), UpscaleRequest(isotropic=True, factor=None)).decisions, sep="\\n")
    """
    if survey.flaw and not (survey.constant and request.labels):
        raise InputError(survey.flaw)
    wish = wish_for(survey, request)
    if survey.flaw and not wish.labels:
        raise InputError(survey.flaw)
    places = places_for(survey, wish, request)
    final_type = "float32" if request.output_type == "float" else str(survey.volume.voxels.dtype)
    ensemble = request.quality == "best"
    steps: list[Step] = []
    if wish.from_band:
        steps.append(TakeAcquiredBand(survey.band))
    if wish.plane is not None:
        detail = wish.plane.default_detail if request.detail is None else float(request.detail)
        wish.plane.digest(detail)  # refuses a detail that the model does not have
        steps.append(
            RefineSlicePlane(
                model=wish.plane,
                detail=detail,
                slice_axis=survey.slice_axis,
                computed=places.computed,
                grid=places.plane_grid,
                from_band=wish.from_band,
                scalar_type=final_type if wish.through is None else "float32",
                ensemble=ensemble,
                error=request.error,
                hold=request.consistency,
                # What the network answers is looked at by itself where what was measured is not to be held.
                grain=0.0 if request.grain is None and not request.consistency else request.grain,
                chosen_by="as was asked for" if request.model is not None else f"chosen by quality {request.quality}",
            )
        )
    if wish.through is not None:
        # With a model for the slice plane, the detail that was asked for is that model's.
        detail = float(request.detail or 0.0) if wish.plane is None else 0.0
        wish.through.digest(detail)
        steps.append(
            MakeNewSlices(
                model=wish.through,
                detail=detail,
                slice_axis=survey.slice_axis,
                box=places.plane_box if wish.plane is None else ((0, 0, 0), places.plane_grid.dimensions),
                grid=places.grid,
                thickness=survey.thickness if request.thickness is None else float(request.thickness),
                thickness_from=survey.thickness_from if request.thickness is None else "the request",
                adapt=request.adapt,
                stored_plane=wish.plane is None,
                scalar_type=final_type,
                ensemble=ensemble,
                error=request.error,
                hold=request.consistency,
                level=request.level,
            )
        )
    if wish.labels:
        steps.append(CarryLabels(places.grid, final_type))
    elif not steps:
        steps.append(Resample(places.grid, final_type))
    return Plan(survey, request, places.box, tuple(steps), places.grid)
