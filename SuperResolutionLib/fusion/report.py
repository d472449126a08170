"""What the report says of a fusion, in the shape that every report has."""

from __future__ import annotations

from collections.abc import Sequence

from ..acquisition.survey import Survey
from ..geometry.grid import Grid
from .levelling import Gain
from .measuring import PROFILE
from .placing import Placement
from .request import FuseRequest
from .trust import Fit


def decisions(
    placements: Sequence[Placement],
    gains: Sequence[Gain],
    fits: Sequence[Fit],
    agreed: float | None,
    grid: Grid,
    request: FuseRequest,
) -> list[str]:
    """Return one sentence for each decision.

    Args:
        agreed: up to which frequency the scans agree, cycles a millimetre; None where they do as far as is known.
    """
    size = " x ".join(str(value) for value in grid.dimensions)
    said = [f"{len(placements)} scans become one volume of {size} voxels of {float(grid.spacing[0]):.3g} mm."]
    for number, (placement, gain, fit) in enumerate(zip(placements, gains, fits), 1):
        if placement.likeness is not None:
            how = f"was moved by {placement.moved:.2f} mm and turned by {placement.turned:.2f} degrees"
            how = how if request.motion != "none" else "lies where its file puts it"
            said.append(
                f"Scan {number} {how}; its detail correlates with that of scan 1 by {placement.likeness.detail:.2f},"
                f" and it is {gain.typical:.2f} times as bright."
            )
        if fit.doubted:
            which = ", ".join(str(index) for index in fit.doubted)
            said.append(f"Slices of scan {number} that do not fit the others count less: {which}.")
    said.append(
        "What no scan measured is predicted by the networks for new slices."
        if request.sharpen
        else "What no scan measured is interpolated."
    )
    if agreed is not None and 2 * agreed * float(grid.spacing[0]) < 1:
        said.append(
            f"The scans do not agree in detail finer than {1 / (2 * agreed):.2g} mm, which is held back;"
            " --all-detail keeps it."
        )
    return said


def fusion_step(
    surveys: Sequence[Survey],
    placements: Sequence[Placement],
    gains: Sequence[Gain],
    fits: Sequence[Fit],
    networks: Sequence[dict],
    span: float,
) -> dict:
    """Return the step's part of the report.

    Args:
        networks: the parts of the steps in which each scan's network ran. span: the robust range of the first scan.
    """
    names = {part["model"]: part for part in networks if "model" in part}
    model = {}
    if names:
        model = {
            "model": " and ".join(names),
            "model_sha256": " and ".join(part["model_sha256"] for part in names.values()),
            "detail": 0.0,
        }
    worst = max(fits, key=lambda fit: fit.residual)
    return {
        "kind": "fusion",
        **model,
        "scans": [
            {
                "dimensions_ijk": list(found.volume.dimensions),
                "spacing_mm_ijk": [round(value, 6) for value in found.spacing],
                "scalar_type": str(found.volume.voxels.dtype),
                "slice_axis": "ijk"[found.slice_axis],
                "thickness_mm": round(found.thickness, 6),
                "movement": [[round(float(value), 6) for value in row] for row in placement.movement],
                "moved_mm": round(placement.moved, 3),
                "turned_degrees": round(placement.turned, 3),
                "detail_correlation": None if placement.likeness is None else round(placement.likeness.detail, 3),
                "contrast_departure": None if placement.likeness is None else round(placement.likeness.departure, 3),
                "gain": round(gain.typical, 4),
                "noise_percent": round(100 * fit.noise / span, 3),
                "residual_percent": round(100 * fit.residual / span, 3),
                "contradicted_percent": round(100 * fit.contradicted, 3),
                "doubted_slices": list(fit.doubted),
            }
            for found, placement, gain, fit in zip(surveys, placements, gains, fits)
        ],
        "consistency": {
            "held": True,
            "measured": "the voxels of all scans",
            "operator": f"{PROFILE} slice profile, windowed sinc in the slice plane",
            "band": "all that the scans measured, down to their noise",
            "noise_percent": round(100 * max(fit.noise for fit in fits) / span, 3),
            "tolerance_percent": round(300 * max(fit.noise for fit in fits) / span, 3),
            "residual_percent": round(100 * worst.residual / span, 4),
        },
    }
