"""How close a result is to the truth, over a set of slices.

All arrays are ``(N, H, W)``: N slices of one volume. A set of slices is scored as one image (one mean-square error, one
mean of each map), so that a slice with little in it counts for little. ``span`` is the data range: the robust range of
the high-resolution volume, ``IntensityScale.of(voxels).span``.
"""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional as F

FOREGROUND_LEVEL = 0.1
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
FRC_CRITERION = 0.5
GMS_CONSTANT = 170 / 255**2

SimilarityMaps = list[tuple[torch.Tensor, torch.Tensor]]


def foreground(normalised: np.ndarray) -> np.ndarray:
    """Return the ``(N, H, W)`` bool mask of the patient in the slices of a true image.

    It is where the image, smoothed by 2 voxels, exceeds a tenth of its robust range, with gaps closed and holes
    filled in each slice.

    Args:
        normalised: slices in the units of ``IntensityScale.normalise``: 0 and 1 are the ends of the robust range.
    """
    masks = []
    for image in np.asarray(normalised, dtype=np.float32):
        mask = sitk.DiscreteGaussian(sitk.GetImageFromArray(image), 4.0) > FOREGROUND_LEVEL
        mask = sitk.BinaryFillhole(sitk.BinaryMorphologicalClosing(mask, (2, 2)), True)
        masks.append(sitk.GetArrayFromImage(mask).astype(bool))
    return np.stack(masks)


def psnr(result: np.ndarray, truth: np.ndarray, span: float, mask: np.ndarray | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB, 10 log10(span^2 / mean-square error); inf where they are equal.

    Huynh-Thu and Ghanbari 2008, "Scope of validity of PSNR in image/video quality assessment". The means are in
    float64 and over ``mask``, which ``monai.metrics.PSNRMetric`` does not offer.
    """
    square = (np.asarray(result, np.float64) - truth) ** 2
    error = float(square.mean() if mask is None else square[mask].mean())
    return 10 * math.log10(span**2 / error) if error > 0 else math.inf


def similarity_maps(result: np.ndarray, truth: np.ndarray, span: float) -> SimilarityMaps:
    """Return the maps that ``ssim`` and ``ms_ssim`` average: per scale, finest first, (SSIM, contrast-structure).

    MONAI's ``compute_ssim_and_cs`` with the 11 x 11 Gaussian window (sigma 1.5) of Wang, Bovik, Sheikh and Simoncelli
    2004, "Image quality assessment: from error visibility to structural similarity". Each further scale is averaged
    over 2 x 2 pixels. A map lacks the 5 outermost pixels; a scale too small for the window is left out.

    Args:
        result: what is judged. truth: what it should be; both should be near 0 where there is no signal.

    Raises:
        ValueError: the slices are narrower than the window.
    """
    from monai.metrics.regression import compute_ssim_and_cs

    ours, true = (
        torch.from_numpy(np.asarray(array, np.float32) / np.float32(span))[:, None] for array in (result, truth)
    )
    if min(ours.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(f"the slices are narrower than {SSIM_WINDOW} pixels, the window of SSIM")
    maps: SimilarityMaps = []
    while len(maps) < len(MS_SSIM_WEIGHTS) and min(ours.shape[-2:]) >= SSIM_WINDOW:
        maps.append(compute_ssim_and_cs(ours, true, 2, (SSIM_WINDOW,) * 2, (SSIM_SIGMA,) * 2))
        ours, true = F.avg_pool2d(ours, 2), F.avg_pool2d(true, 2)
    return maps


def ssim(maps: SimilarityMaps, mask: np.ndarray | None = None) -> float:
    """Return the structural similarity (Wang et al. 2004), 1 at best: the mean of the finest SSIM map over ``mask``."""
    return _mean(maps[0][0], _mask_of_maps(maps, mask)[0])


def ms_ssim(maps: SimilarityMaps, mask: np.ndarray | None = None) -> float:
    """Return the multi-scale structural similarity, 1 at best.

    Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image quality assessment": the product of
    the mean contrast-structure of each scale, and the mean SSIM of the coarsest, to the power of their weights. Five
    scales need 176 pixels a side; with fewer scales, the weights of those are made to sum to 1. A scale at which
    ``mask`` is empty is averaged over the whole image.
    """
    scales = zip(maps, _mask_of_maps(maps, mask), MS_SSIM_WEIGHTS)
    total = sum(MS_SSIM_WEIGHTS[: len(maps)])
    value = 1.0
    for index, ((similarity, contrast), inside, weight) in enumerate(scales):
        mean = _mean(similarity if index == len(maps) - 1 else contrast, inside)
        value *= max(0.0, mean) ** (weight / total)
    return value


def _mask_of_maps(maps: SimilarityMaps, mask: np.ndarray | None) -> list[torch.Tensor | None]:
    if mask is None:
        return [None] * len(maps)
    border = SSIM_WINDOW // 2
    share = torch.from_numpy(np.asarray(mask, np.float32))[:, None]
    masks: list[torch.Tensor | None] = []
    for _ in maps:
        masks.append(share[..., border:-border, border:-border] >= 0.5)
        share = F.avg_pool2d(share, 2)
    return masks


def _mean(values: torch.Tensor, mask: torch.Tensor | None) -> float:
    chosen = values if mask is None or not mask.any() else values[mask]
    return float(chosen.double().mean())


def gradient_magnitude_similarity(
    result: np.ndarray, truth: np.ndarray, span: float, mask: np.ndarray | None = None
) -> float:
    """Return the mean gradient-magnitude similarity over ``mask``, 1 at best: edges as steep as the true ones, there.

    Xue, Zhang, Mou and Bovik 2014, "Gradient magnitude similarity deviation", with its Prewitt operator and constant;
    not halved in size first, as the finest detail is what is judged. Blur lowers it, and so do invented edges.
    """
    magnitudes = []
    for array in (result, truth):
        image = torch.from_numpy(np.asarray(array, np.float32) / np.float32(span))[:, None]
        step = torch.tensor([[1.0, 0.0, -1.0]]).expand(3, 3) / 3
        kernels = torch.stack([step, step.T])[:, None]
        gradient = F.conv2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), kernels)
        magnitudes.append(torch.hypot(gradient[:, 0], gradient[:, 1]))
    ours, true = magnitudes
    similarity = (2 * ours * true + GMS_CONSTANT) / (ours**2 + true**2 + GMS_CONSTANT)
    return _mean(similarity, None if mask is None else torch.from_numpy(mask))


def background_deviation(image: np.ndarray, mask: np.ndarray) -> float:
    """Return the SD in the image's units of what lies outside the foreground ``mask``, 0 where no block does.

    Blocks of 8 x 8 pixels are taken by themselves and the median of their SDs is returned, so that ghosts and slow
    shading do not count as noise.
    """
    if min(image.shape[-2:]) < 8:
        return 0.0
    blocks, empty = (
        torch.from_numpy(np.ascontiguousarray(array)).unfold(1, 8, 8).unfold(2, 8, 8).reshape(-1, 64)
        for array in (np.asarray(image, np.float32), ~mask)
    )
    chosen = blocks[empty.all(dim=1)]
    return float(chosen.std(dim=1).median()) if len(chosen) else 0.0


def fourier_ring_correlation(result: np.ndarray, truth: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the correlation of two slice sets in each ring of spatial frequency: ``(frequencies, correlations)``.

    Saxton and Baumeister 1982, "The correlation averaging of a regularly arranged bacterial cell envelope protein":
    Re sum(F1 conj F2) / sqrt(sum |F1|^2 sum |F2|^2), the sums over a ring and over all slices. The mean of each slice
    is taken off, and its outer eighths are tapered, so that its borders do not correlate.

    Args:
        factor: fine voxels per coarse voxel along both axes.

    Returns:
        Frequencies at the rings' centres in cycles per *coarse* voxel (the input's Nyquist frequency is 0.5, the
        result's is factor / 2), and the correlations, from -1 to 1; a ring without energy has 0.
    """
    height, width = truth.shape[-2:]
    spectra = [np.fft.rfft2(_tapered(images)) for images in (result, truth)]
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    # Half of the spectrum is enough: the other half is its conjugate, with the same real part and magnitudes.
    count = min(height, width) // 2
    ring = np.rint(distance * min(height, width)).astype(int).ravel()

    def ring_sum(values: np.ndarray) -> np.ndarray:
        return np.bincount(ring, values.sum(axis=0).ravel(), count + 1)[1 : count + 1]

    cross = ring_sum((spectra[0] * spectra[1].conj()).real)
    energy = ring_sum(np.abs(spectra[0]) ** 2) * ring_sum(np.abs(spectra[1]) ** 2)
    correlation = np.divide(cross, np.sqrt(energy), out=np.zeros_like(cross), where=energy > 0)
    return factor * np.arange(1, count + 1) / min(height, width), correlation


def fourier_row_correlation(result: np.ndarray, truth: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``fourier_ring_correlation`` with, for rings, the rows of one frequency across the slices.

    Args:
        result, truth: reformats ``(N, H, W)``, the slice axis along H. factor: fine rows to a slice.

    Returns:
        Frequencies along H in cycles per slice, and the correlations.
    """
    height = truth.shape[-2]
    spectra = [np.fft.rfft2(_tapered(images), axes=(2, 1)) for images in (result, truth)]
    sums = [(a * b.conj()).real.sum(axis=(0, 2)) for a, b in ((spectra[0], spectra[1]), *((s, s) for s in spectra))]
    cross, energy = sums[0][1:], (sums[1] * sums[2])[1:]
    correlation = np.divide(cross, np.sqrt(energy), out=np.zeros_like(cross), where=energy > 0)
    return factor * np.fft.rfftfreq(height)[1:], correlation


def _tapered(images: np.ndarray) -> np.ndarray:
    """Return ``(N, H, W)`` images without their means, their outer eighths falling to 0, as float64."""
    images = np.asarray(images, np.float64)
    return (images - images.mean(axis=(1, 2), keepdims=True)) * np.outer(*map(_taper, images.shape[-2:]))


def _taper(length: int) -> np.ndarray:
    position = (np.arange(length) + 0.5) / length
    edge = np.clip(8 * np.minimum(position, 1 - position), 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * edge)


def frc_cutoff(frequencies: np.ndarray, correlations: np.ndarray, criterion: float = FRC_CRITERION) -> float:
    """Return the frequency at which the correlation first falls below ``criterion``, in the units of ``frequencies``.

    Up to there the result is right; twice the value in cycles per coarse voxel is the multiple of the input's Nyquist
    frequency. Linear between rings; the last frequency where it never falls, 0 where it starts below.
    """
    below = np.flatnonzero(correlations < criterion)
    if len(below) == 0:
        return float(frequencies[-1])
    last = int(below[0])
    if last == 0:
        return 0.0
    return float(np.interp(criterion, correlations[last - 1 : last + 1][::-1], frequencies[last - 1 : last + 1][::-1]))


def score(
    result: np.ndarray, truth: np.ndarray, span: float, mask: np.ndarray, factor: int, low: float = 0.0
) -> dict[str, float]:
    """Return every metric of one result, whole and over the foreground, as a flat dictionary.

    Args:
        result, truth: in the volume's units. span, low: the robust range of the high-resolution volume, and its end.
        mask: the foreground of ``truth``. factor: fine voxels per coarse voxel along both axes.

    Returns:
        "psnr" (dB), "ssim", "ms_ssim" and "gms", each also as "..._foreground", and "frc_cutoff", a multiple of the
        input's Nyquist frequency.
    """
    result, truth = (np.asarray(array, np.float64) - low for array in (result, truth))
    maps = similarity_maps(result, truth, span)
    values = {}
    for suffix, inside in (("", None), ("_foreground", mask)):
        values[f"psnr{suffix}"] = psnr(result, truth, span, inside)
        values[f"ssim{suffix}"] = ssim(maps, inside)
        values[f"ms_ssim{suffix}"] = ms_ssim(maps, inside)
        values[f"gms{suffix}"] = gradient_magnitude_similarity(result, truth, span, inside)
    values["frc_cutoff"] = 2 * frc_cutoff(*fourier_ring_correlation(result, truth, factor))
    return values
