"""The report: what was done, in one shape whatever it was; ``report.schema.json`` is that shape.

Everything that tells of a result reads it: the printers, the nodes' attributes in Slicer, the batch's table and
``--resume``, the DICOM export. It is JSON-able, and nothing heavy is imported to read it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from ..acquisition.survey import Survey
from ..geometry.volume import AXES, Volume
from ..version import VERSION

if TYPE_CHECKING:
    from .plan import Plan

DARK = 0.1
"""The share of the robust range below which a voxel is taken for air."""
SCHEMA_VERSION = 1
"""Grows by one when a key changes its meaning or goes; new keys alone leave it."""


def model_names(report: dict) -> str:
    """Return the names of the models that were used, joined by ``and``; "" where none was."""
    return " and ".join(step["model"] for step in networks(report))


def model_digests(report: dict) -> str:
    """Return the SHA-256 of the weights that were used, joined by ``and``; "" where none were."""
    return " and ".join(step["model_sha256"] for step in networks(report))


def detail(report: dict) -> float | None:
    """Return the detail of the first network; None where none was used."""
    return next((step["detail"] for step in networks(report)), None)


def residual_percent(report: dict) -> float | None:
    """Return by how much the result of the first network misses what was measured (RMS, % of the robust range)."""
    return next((step["consistency"]["residual_percent"] for step in networks(report)), None)


def networks(report: dict) -> list[dict]:
    """Return the parts of the steps in which a network ran."""
    return [step for step in report.get("steps", []) if "model" in step]


def consistency_sentence(step: dict) -> str:
    """Return what the part of a step with a network says of how well its result agrees with what was measured."""
    held = step["consistency"]
    return (
        f"{'held' if held['held'] else 'not held'}: {held['band']};"
        f" the result agrees with it to {held['residual_percent']:.3f} % (RMS)"
    )


def describe_survey(survey: Survey, takes_band: bool) -> dict:
    """Return the report's part on what the scan is.

    Args:
        takes_band: whether a zero-filled scan was upscaled from its acquired band.
    """
    band, levels = survey.band, survey.acquired if takes_band else survey.stored
    bands = survey.slice_bands
    return {
        "slice_axis": AXES[survey.slice_axis],
        "slice_axis_from": survey.slice_axis_from,
        "modality": survey.modality,
        "modality_from": survey.modality_from,
        "thickness_mm": round(float(survey.thickness), 6),
        "thickness_from": survey.thickness_from,
        "magnitude": survey.magnitude,
        "range": [levels.scale.low, levels.scale.high],
        "noise_percent": round(100 * levels.noise, 3),
        "padding_percent": 0.0 if survey.absent is None else round(survey.absent.padding_percent, 3),
        "outliers": 0 if survey.absent is None else survey.absent.outlier_count,
        "acquired": {
            "stored_mm": [round(value, 6) for value in band.spacing],
            "acquired_mm": [round(value, 6) for value in band.acquired_spacing],
            "acquired_from": band.acquired_from,
            "zero_filled": band.zero_filled,
            "sentence": band.sentence(as_stored=not takes_band),
        },
        "slice_bands": None
        if bands is None
        else {
            "period": bands.period,
            "swing_percent": round(100 * bands.swing, 2),
            "gains": [round(float(gain), 4) for gain in bands.typical],
            "sentence": bands.sentence,
        },
    }


def describe_upscaled(todo: Plan, result: Volume, error: Volume | None) -> dict:
    """Return the report's parts ``input`` and ``output`` and, where there is one, ``expected_error``."""
    parts = describe_volumes(todo.survey.volume, result)
    return parts if error is None else {**parts, "expected_error": _describe_error(todo, result, error)}


def describe_volumes(scan: Volume, result: Volume) -> dict:
    """Return the report's parts ``input`` and ``output``."""
    factors = np.divide(scan.spacing, result.spacing).round(4)
    return {
        "input": _describe(scan),
        "output": {**_describe(result), "factors_ijk": [int(f) if f == int(f) else float(f) for f in factors]},
    }


def _describe_error(todo: Plan, result: Volume, error: Volume) -> dict:
    """Return the report's part on the expected error ``error`` of ``result``, where that is not dark."""
    levels = todo.survey.acquired if todo.takes_band else todo.survey.stored
    bright = result.voxels > levels.scale.low + DARK * levels.scale.span
    values = error.voxels[bright] if bright.any() else error.voxels
    last = next(step.model for step in (todo.new_slices, todo.slice_plane) if step is not None)
    mean = float(values.mean(dtype=np.float64))
    return {
        "mean": round(mean, 6),
        "percentile_95": round(float(np.percentile(values, 95)), 6),
        "mean_percent_of_range": round(100 * mean / levels.scale.span, 3),
        "within": {percent: round(value, 3) for percent, value in last.error_calibration.within(levels.noise).items()},
    }


def _describe(volume: Volume) -> dict:
    return {
        "dimensions_ijk": list(volume.dimensions),
        "spacing_mm_ijk": [round(value, 6) for value in volume.spacing],
        "scalar_type": str(volume.voxels.dtype),
    }


def program() -> str:
    """Return the program's name and version, as the report states them."""
    return f"SuperResolution {VERSION}"


def peak_memory_bytes() -> int | None:
    """Return the most memory that this process has held so far, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
