"""Where the steps of an upscaling work: which voxels of the scan they need, and the grids that they lead to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..acquisition.survey import Survey
from ..errors import InputError
from ..geometry.grid import Box, Grid
from ..geometry.ijk import ijk, with_along
from ..models.bundles import Model
from .request import UpscaleRequest
from .wish import Wish

CONTEXT = 24
"""Coarse voxels around a region that the held band's low-pass and the grain may look at, beyond the network's halo."""


@dataclass(frozen=True)
class Places:
    """Boxes are of the scan's stored voxels.

    Attributes:
        box: what was asked for. grid: of the result.
        plane_box: what the slice plane is refined of: ``box``, and what the network through the slices looks at.
        plane_grid: of the volume with the refined slice plane.
        computed: what the slice plane's network is run on: voxels of its input, which for a zero-filled scan is the
            acquired band.
    """

    box: Box
    grid: Grid
    plane_box: Box
    plane_grid: Grid
    computed: Box


def places_for(survey: Survey, wish: Wish, request: UpscaleRequest) -> Places:
    """Return where the steps work.

    Raises:
        InputError: a region off the scan, a box that is not there, or both; a network that is not known here.
    """
    whole, across = survey.grid, survey.slice_axis
    box = _wanted_box(whole, request)
    grid = _result_grid(whole.cropped(box), wish)
    plane_box, plane_grid = box, grid
    if wish.through is not None:
        plane_box = _with_surroundings(box, whole, across, wish.through, 1 if wish.plane is None else wish.plane.factor)
        plane_grid = _result_grid(whole.cropped(plane_box), _with_slices_kept(wish, across, survey.spacing[across]))
    source = survey.band.dimensions if wish.from_band else whole.dimensions
    halo = 0 if wish.plane is None else wish.plane.halo
    return Places(box, grid, plane_box, plane_grid, _with_context(plane_box, source, whole.dimensions, across, halo))


def _result_grid(wanted: Grid, wish: Wish) -> Grid:
    return wanted.refined(wish.factors) if wish.spacing is None else wanted.at_spacing(wish.spacing)


def _with_slices_kept(wish: Wish, axis: int, spacing: float) -> Wish:
    """Return the wish for the slice plane alone, with slices across ``axis`` that stay ``spacing`` mm apart."""
    if wish.spacing is None:
        return replace(wish, factors=with_along(wish.factors, axis, 1))
    return replace(wish, spacing=with_along(wish.spacing, axis, spacing))


def _wanted_box(grid: Grid, request: UpscaleRequest) -> Box:
    first, last = request.box or ((0, 0, 0), grid.dimensions)
    if not all(0 <= low < high <= size for low, high, size in zip(first, last, grid.dimensions)):
        size = " x ".join(map(str, grid.dimensions))
        raise InputError(f"There is no box from index {first} to {last}; choose one within {size} voxels.")
    if request.region is None:
        return ijk(first), ijk(last)
    if request.box is not None:
        raise InputError("Give either a region in mm or a box of indices, not both.")
    if len(request.region) != 6 or not np.isfinite(request.region).all():
        raise InputError("A region is six numbers in mm, R,A,S of one corner and R,A,S of the opposite one.")
    return grid.box_of_region(request.region)


def _with_surroundings(box: Box, grid: Grid, slice_axis: int, through: Model, finer: int) -> Box:
    """Return ``box`` with the voxels around it that ``through`` looks at in a slice plane ``finer`` times as fine."""
    first, last = [], []
    for axis, (low, high, size) in enumerate(zip(*box, grid.dimensions)):
        margin = through.slice_halo if axis == slice_axis else -(-through.halo // finer)
        first.append(max(0, low - margin))
        last.append(min(size, high + margin))
    return ijk(first), ijk(last)


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
    return ijk(first), ijk(last)
