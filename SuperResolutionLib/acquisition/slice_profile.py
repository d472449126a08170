"""What a thick slice is made of: slice profiles, and the rows of a fine grid that each slice averages.

A slice is the integral of the magnetisation (in CT, the attenuation) weighted by the profile that the selective pulse
(the collimation) excites: Greenspan et al. 2002, "MRI inter-slice reconstruction using super-resolution". A profile is
given by its integral up to a distance from the slice's centre; its FWHM is the slice thickness. Distances are in any
one unit, such as fine voxels.
"""

from __future__ import annotations

import functools
import math

import torch

TRAPEZOID_RAMP = 0.25
FWHM_OF_UNIT_GAUSSIAN = 2 * math.sqrt(2 * math.log(2))


def boxcar(distance: torch.Tensor, fwhm: float) -> torch.Tensor:
    """Return the integral up to ``distance`` of a uniform slice profile of area 1."""
    return (distance / fwhm + 0.5).clamp(0, 1)


def trapezoid(distance: torch.Tensor, fwhm: float) -> torch.Tensor:
    """Return the integral up to ``distance`` of a flat profile of area 1 whose two ramps are a quarter FWHM wide."""
    ramp = TRAPEZOID_RAMP * fwhm

    def integrated_ramp(beyond_its_start: torch.Tensor) -> torch.Tensor:
        inside = beyond_its_start.clamp(0, ramp)
        return inside**2 / (2 * ramp) + (beyond_its_start - ramp).clamp(min=0)

    starts = (-(fwhm + ramp) / 2, (fwhm - ramp) / 2)
    return (integrated_ramp(distance - starts[0]) - integrated_ramp(distance - starts[1])) / fwhm


def gaussian(distance: torch.Tensor, fwhm: float) -> torch.Tensor:
    """Return the integral up to ``distance`` of a Gaussian slice profile of area 1."""
    return torch.special.ndtr(distance * (FWHM_OF_UNIT_GAUSSIAN / fwhm))


def truncated_sinc(distance: torch.Tensor, fwhm: float) -> torch.Tensor:
    """Return the integral up to ``distance`` of the profile of area 1 that a sinc pulse of two lobes a side excites.

    The pulse is apodised by a Hann window; at small flip angles its spectrum is the profile (Pauly et al. 1989, "A
    k-space analysis of small-tip-angle excitation"), whose small negative side lobes are left out.
    """
    at, integral = _integrated_sinc_profile()
    places = (distance / fwhm).clamp(at[0], at[-1])
    index = torch.searchsorted(at, places).clamp(1, len(at) - 1)
    share = (places - at[index - 1]) / (at[index] - at[index - 1])
    return torch.lerp(integral[index - 1], integral[index], share)


@functools.lru_cache(maxsize=1)
def _integrated_sinc_profile() -> tuple[torch.Tensor, torch.Tensor]:
    """Return distances in FWHM, ascending, and the profile's integral up to them; float64."""
    time = torch.linspace(-1, 1, 801, dtype=torch.float64)
    pulse = torch.sinc(2 * time) * (1 + torch.cos(math.pi * time)) / 2
    distance = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    profile = (torch.cos(math.pi * distance[:, None] * time) @ pulse).clamp(min=0)
    half = distance[profile >= profile.max() / 2]
    integral = torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumulative_trapezoid(profile)])
    return distance / (half[-1] - half[0]), integral / integral[-1]


PROFILES = {"boxcar": boxcar, "trapezoid": trapezoid, "gaussian": gaussian, "truncated sinc": truncated_sinc}


def profile_weights(centres: torch.Tensor, size: int, fwhm: float, profile: str = "gaussian") -> torch.Tensor:
    """Return ``(slices, size)`` float64: how much of each fine voxel each thick slice sees.

    The profile is integrated over each fine voxel. Rows add up to 1: what a profile would see beyond the fine voxels is
    left out.

    Args:
        centres: of the slices, float64, in fine voxels from the centre of the first one.
        size: the number of fine voxels.
        fwhm: the slice thickness, in fine voxels.
        profile: "boxcar", "trapezoid", "gaussian" or "truncated sinc".
    """
    edges = torch.arange(size + 1, dtype=torch.float64) - 0.5
    weights = PROFILES[profile](edges - centres[:, None], fwhm).diff(dim=1)
    return weights / weights.sum(dim=1, keepdim=True)


def slice_profile_weights(size: int, spacing: float, fwhm: float, profile: str = "gaussian") -> torch.Tensor:
    """Return the ``(floor(size / spacing), size)`` ``profile_weights`` of slices that tile the fine voxels' box.

    Slice ``n`` is centred at ``(n + 0.5) * spacing - 0.5`` fine voxels (the half-voxel rule).

    Args:
        size: the number of fine voxels.
        spacing: the distance of slice centres, in fine voxels; need not be whole.
        fwhm: the slice thickness, in fine voxels: below ``spacing`` there is a gap, above it slices overlap.
        profile: "boxcar", "trapezoid", "gaussian" or "truncated sinc".
    """
    centres = (torch.arange(math.floor(size / spacing + 1e-6), dtype=torch.float64) + 0.5) * spacing - 0.5
    return profile_weights(centres, size, fwhm, profile)


def thick_slices(
    image: torch.Tensor,
    top: int,
    rows: int,
    slices: int,
    spacing: float,
    thickness: float,
    profile: str = "gaussian",
) -> torch.Tensor:
    """Return ``(..., slices, W)``, the thick slices that lie about the centre of some rows of an image.

    Args:
        image: ``(..., H, W)``, whose rows are thin slices. top, rows: the first of those rows, and how many they are.
        spacing: the distance of slice centres, in rows. thickness: the profile's FWHM, in spacings.
    """
    centres = (torch.arange(slices, dtype=torch.float64) - (slices - 1) / 2) * spacing + top + (rows - 1) / 2
    return profile_weights(centres, image.shape[-2], thickness * spacing, profile).to(image.dtype) @ image
