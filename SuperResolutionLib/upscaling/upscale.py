"""The way from a scan to its result: survey, plan, steps, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..acquisition.survey import Survey, survey
from ..geometry.volume import Volume
from ..models.bundles import Model
from ..models.devices import choose_device
from .plan import Plan, plan
from .put_back import put_back
from .report import SCHEMA_VERSION, describe_survey, describe_upscaled, peak_memory_bytes, program
from .request import UpscaleRequest
from .run import Run

if TYPE_CHECKING:
    from ..models.networks.network import Network

__all__ = ["UpscaleRequest", "UpscaleResult", "carry_out", "upscale"]


@dataclass(frozen=True)
class UpscaleResult:
    """What came out.

    Attributes:
        volume: the finer volume. report: what was done, JSON-able.
        survey: of the scan.
        error: the expected error (1 SD) of each voxel in the scan's units, where it was asked for.
    """

    volume: Volume
    report: dict
    survey: Survey
    error: Volume | None = None


def upscale(
    volume: Volume,
    request: UpscaleRequest | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> UpscaleResult:
    """Return ``volume`` upscaled as ``request`` asks; the input is not changed.

    Args:
        request: None asks for x4 in the slice plane.
        progress: called as ``progress(done, total, message)`` after each slice or batch of reformats; each step counts
            anew.
        cancelled: polled after each tile, batch and step of adaptation.

    Raises:
        InputError: the volume or the request cannot be served; one sentence says why and what to do.
        Cancelled: ``cancelled()`` returned True.

    Example::

        result = upscale(read_volume("t1.nii.gz"), UpscaleRequest(factor=2))
        write_volume(result.volume, "t1_x2.nrrd")
    """
    began = time.monotonic()
    request = request or UpscaleRequest()
    return _carry_out(plan(survey(volume, request.named_axis, request.acquired), request), progress, cancelled, began)


def carry_out(
    todo: Plan,
    progress: Callable[[int, int, str], None] = lambda done, total, message: None,
    cancelled: Callable[[], bool] = lambda: False,
    load: Callable[[Model, float], Network] = Model.load,
) -> UpscaleResult:
    """Return what a plan leads to. Arguments and errors are those of ``upscale``; ``load`` as of ``Run``."""
    return _carry_out(todo, progress, cancelled, time.monotonic(), load)


def _carry_out(
    todo: Plan,
    progress: Callable[[int, int, str], None],
    cancelled: Callable[[], bool],
    began: float,
    load: Callable[[Model, float], Network] = Model.load,
) -> UpscaleResult:
    run = Run(todo.survey, choose_device(todo.request.device), progress, cancelled, load)
    volume = todo.survey.seen
    parts, warnings, used, error = [], list(todo.warnings), run.device, None
    for step in todo.steps:
        result = step.run(volume, run, error)
        volume, error = result.volume, result.error
        parts.append(result.part)
        warnings += result.warnings
        if result.device not in (None, used.name):
            used = choose_device(result.device)
    volume, error = put_back(todo.survey, volume, error)
    report = {
        "schema_version": SCHEMA_VERSION,
        "program": program(),
        "quality": todo.request.quality,
        **describe_upscaled(todo, volume, error),
        "survey": describe_survey(todo.survey, todo.takes_band),
        "decisions": list(todo.decisions),
        "steps": parts,
        "device": used.name,
        "device_label": used.label,
        "seconds": round(time.monotonic() - began, 2),
        "peak_memory_bytes": peak_memory_bytes(),
        "warnings": warnings,
    }
    return UpscaleResult(volume, report, todo.survey, error)
