"""How far results are off, and how far they were expected to be: of sharp scans made coarse, and upscaled."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.acquisition.operators import kspace_crop
from SuperResolutionLib.acquisition.slice_profile import slice_profile_weights
from SuperResolutionLib.evaluation.metrics import foreground
from SuperResolutionLib.evaluation.truths import Truth, choose_slices, degrade, truth_for
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.ijk import ijk, with_along
from SuperResolutionLib.geometry.intensity import IntensityScale, as_scalar_type
from SuperResolutionLib.geometry.volume import Volume, refined_matrix
from SuperResolutionLib.models.bundles import Model
from SuperResolutionLib.upscaling.upscale import UpscaleRequest, UpscaleResult, upscale
from Training.degradation.ct import RandQuantumNoised

IN_PLANE = ("area", "bicubic", "kspace", "kspace-noise", "kspace-noise5", "kspace-soft")
BETWEEN = {"3 px": (3, 1.0, 0.0), "5 px, gap 20 %": (5, 0.8, 0.0), "4 px": (4, 1.0, 0.0)}
BETWEEN.update({f"4 px, {percent} % noise": (4, 1.0, percent / 100) for percent in (2, 5)})
"""Distance of the slices in pixels, thickness as a share of it, and the SD of the noise."""
BOTH = {"k-space, 4 px": 0.0, "k-space, 4 px, 5 % noise": 0.05}
"""Coarse slices as far apart as they are thick, in fine pixels, and the SD of the noise: for both steps, one after the
other."""
CT_F50 = 0.4
LOCAL = 3.0
MOST = 112
"""Voxels along each axis of a scan that is made thick, about its middle: more take longer, and show the same."""


@dataclass(frozen=True)
class ErrorSample:
    """The voxels of the patient in one result, normalised by the robust range that the program found of the scan.

    Attributes:
        scan, degradation: of what. noise: as the program estimates it, a share of the scan's own range.
        error: how far the result is from the truth, absolute. expected: the expected error.
        local_error: the mean of ``error`` around each voxel, by a Gaussian of ``LOCAL`` voxels SD in the slices.
        within: of the report: for 50, 80 and 95 % of the voxels, the multiple of ``expected`` that they shall lie in.
    """

    scan: str
    degradation: str
    noise: float
    error: np.ndarray
    expected: np.ndarray
    local_error: np.ndarray
    within: dict[str, float] = field(default_factory=dict)

    def covered(self, multiple: float) -> float:
        """Return the share of the voxels whose error is within so many expected errors."""
        return float((self.error <= multiple * self.expected).mean())

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of the error with what was expected."""
        return _rank_correlation(self.error, self.expected)

    @property
    def local_rank_correlation(self) -> float:
        """Spearman's, of the local mean of the error with what was expected: without the luck of single voxels."""
        return _rank_correlation(self.local_error, self.expected)


def sample_of(
    path: os.PathLike | str,
    model: Model,
    degradation: str,
    detail: float = 0.0,
    slices: int = 10,
    inverted: bool = False,
) -> ErrorSample:
    """Return the ``ErrorSample`` of one scan, made coarse as one of the degradations says and refined again.

    Args:
        degradation: of ``IN_PLANE`` or ``BOTH``; of ``BETWEEN`` where the model makes new slices.
        slices: how many of the scan are looked at, in the middle of it, where the slice plane is refined.
        inverted: whether what is bright in the patient is made dark and the other way round: a contrast never seen.

    Raises:
        InputError: as ``choose_slices`` and ``upscale``.
    """
    volume, name = read_volume(path), Path(path).name
    if inverted:
        volume = _inverted(volume)
    if degradation in BOTH:
        return _by_both_steps(volume, name, model, degradation)
    if model.through_slices:
        return _between_slices(volume, name, model, degradation)
    return in_plane(middle_slices(volume, model.factor, slices), name, model, degradation, detail)


def _inverted(volume: Volume) -> Volume:
    """Return a scan with the contrast within the patient upside down, and with the air as it is."""
    scale = IntensityScale.of(volume.voxels)
    normalised = scale.normalise(volume.voxels.astype(np.float32))
    patient = foreground(normalised)
    turned = np.where(patient, 1.1 - normalised.clip(0, 1), normalised) * scale.span + scale.low
    return replace(volume, voxels=as_scalar_type(turned, volume.voxels.dtype))


def middle_slices(volume: Volume, factor: int, count: int) -> Truth:
    """Return up to ``count`` true slices side by side, in the middle of those with content."""
    whole = choose_slices(volume, factor, most=volume.voxels.size)
    first, last = [0, 0, 0], list(whole.stack.dimensions)
    first[whole.across] = max(0, (last[whole.across] - count) // 2)
    last[whole.across] = min(last[whole.across], first[whole.across] + count)
    return replace(whole, stack=whole.stack.cropped((first[0], first[1], first[2]), (last[0], last[1], last[2])))


def in_plane(sharp: Truth, name: str, model: Model, degradation: str, detail: float = 0.0) -> ErrorSample:
    """Return the sample of true slices that are made coarse and refined again."""
    truth = truth_for(sharp, degradation)
    stack = degrade(truth, degradation)
    result = upscale(stack, UpscaleRequest(factor=truth.factors, model=model, error=True, detail=detail))
    fine, expected = (truth.slices_of(truth.chosen(volume)) for volume in (result.volume, result.error))
    error = np.abs(fine.astype(np.float32) - truth.slices_of(truth.volume))
    patient = foreground(sharp.scale.normalise(sharp.slices_of(sharp.volume)))
    return _sample(name, degradation, result, error, expected, patient)


def _between_slices(volume: Volume, name: str, model: Model, degradation: str) -> ErrorSample:
    spacing, thickness, noise = BETWEEN[degradation]
    volume = replace(volume, slice_axis=None, acquired_shares=(None, None, None))
    axis = _along(volume)
    thick, truth = thick_volume(volume, axis, spacing, thickness, noise)
    factor = tuple(spacing if other == axis else 1 for other in range(3))
    result = upscale(thick, UpscaleRequest(factor=factor, model=model, error=True))
    return _reformatted(name, degradation, result, truth, axis)


def _by_both_steps(volume: Volume, name: str, model: Model, degradation: str) -> ErrorSample:
    """Return the sample of thick, coarse slices: ``model`` refines them, then come new ones between them."""
    spacing, thickness, _ = BETWEEN["4 px"]
    volume = replace(volume, slice_axis=None, acquired_shares=(None, None, None))
    axis = _along(volume)
    last = [size // model.factor * model.factor for size in volume.dimensions]
    thick, truth = thick_volume(volume.cropped((0, 0, 0), (last[0], last[1], last[2])), axis, spacing, thickness, 0.0)
    slices = torch.from_numpy(np.moveaxis(thick.voxels, 2 - axis, 0).astype(np.float32))[:, None]
    coarse = kspace_crop(slices, model.factor)
    if BOTH[degradation]:
        sigma = BOTH[degradation] * IntensityScale.of(volume.voxels).span
        coarse = add_rician_noise(coarse, sigma, torch.Generator().manual_seed(0))
    voxels = np.moveaxis(as_scalar_type(coarse[:, 0].numpy(), volume.voxels.dtype), 0, 2 - axis)
    factors = with_along((model.factor,) * 3, axis, 1)
    matrix = refined_matrix(thick.ijk_to_ras, ijk(1 / factor for factor in factors))
    stack = Volume(voxels, matrix, volume.modality, thick.slice_thickness)
    request = UpscaleRequest(factor=with_along(factors, axis, spacing), model=model, error=True)
    return _reformatted(name, degradation, upscale(stack, request), truth, axis)


def _reformatted(name: str, degradation: str, result: UpscaleResult, truth: Volume, axis: int) -> ErrorSample:
    """Return the sample of a stack along ``axis``, cut across, as a reformat is looked at."""
    scale = IntensityScale.of(truth.voxels)
    fine, expected, true = (
        np.moveaxis(part.voxels, 2 - axis, 0).astype(np.float32) for part in (result.volume, result.error, truth)
    )
    fine, expected, true = (part.swapaxes(0, 1) for part in (fine, expected, true))
    patient = foreground(scale.normalise(true))
    return _sample(name, degradation, result, np.abs(fine - true), expected, patient)


def _along(volume: Volume) -> int:
    """Return an axis along which the scan is sharp: j, or k where the slices lie across j."""
    across = int(np.argmax(volume.spacing)) if max(volume.spacing) > 1.1 * min(volume.spacing) else 2
    return 1 if across != 1 else 2


def thick_volume(volume: Volume, axis: int, spacing: int, thickness: float, noise: float) -> tuple[Volume, Volume]:
    """Return slices averaged along ``axis`` by a Gaussian profile, and what of ``volume`` they cover.

    ``noise``, a share of the robust range, is Rician, or that of a standard kernel where voxels are negative (CT).
    """
    sizes = [min(size, MOST) for size in volume.dimensions]
    rows = sizes[axis] = sizes[axis] // spacing * spacing
    first = [(whole - size) // 2 for whole, size in zip(volume.dimensions, sizes)]
    last = [start + size for start, size in zip(first, sizes)]
    truth = volume.cropped((first[0], first[1], first[2]), (last[0], last[1], last[2]))
    weights = slice_profile_weights(rows, spacing, thickness * spacing).float().numpy()
    slices = np.tensordot(weights, np.moveaxis(truth.voxels, 2 - axis, 0).astype(np.float32), 1)
    if noise:
        sigma = noise * IntensityScale.of(volume.voxels).span
        if volume.voxels.min() < 0:
            quantum = RandQuantumNoised("slice", sigma=(sigma, sigma), f50=(CT_F50, CT_F50), prob=1.0)
            quantum.set_random_state(0)
            slices = np.stack([quantum({"slice": torch.from_numpy(part)[None]})["slice"][0].numpy() for part in slices])
        else:
            slices = add_rician_noise(torch.from_numpy(slices), sigma, torch.Generator().manual_seed(0)).numpy()
    voxels = np.moveaxis(as_scalar_type(slices, volume.voxels.dtype), 0, 2 - axis)
    shares = [1 / spacing if other == axis else 1.0 for other in range(3)]
    matrix = refined_matrix(truth.ijk_to_ras, (shares[0], shares[1], shares[2]))
    return Volume(voxels, matrix, volume.modality, thickness * spacing * volume.spacing[axis]), truth


def _sample(
    name: str,
    degradation: str,
    result: UpscaleResult,
    error: np.ndarray,
    expected: np.ndarray,
    patient: np.ndarray,
) -> ErrorSample:
    noise = result.report["survey"]["noise_percent"] / 100
    low, high = result.report["survey"]["range"]
    local = gaussian(error, [0.0, LOCAL, LOCAL])
    values = [part[patient] / np.float32(high - low) for part in (error, expected, local)]
    within = result.report["expected_error"]["within"]
    return ErrorSample(name, degradation, noise, values[0], values[1], values[2], within)


def gaussian(slices: np.ndarray, sigmas: list[float]) -> np.ndarray:
    """Return ``(N, H, W)`` slices after a Gaussian of such SD in voxels along N, H and W."""
    image = sitk.GetImageFromArray(slices.astype(np.float32))
    variances = [sigma**2 for sigma in reversed(sigmas)]
    return sitk.GetArrayFromImage(sitk.DiscreteGaussian(image, variances, 64, 0.001, False))


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    ranks = [values.argsort(kind="stable").argsort() for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])
