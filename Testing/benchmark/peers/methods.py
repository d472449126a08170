"""The methods that are compared, each a function from the coarse stack of a scan to its scored slices made fine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np

from SuperResolutionLib.evaluation.methods import METHOD_LABELS, upscaled
from SuperResolutionLib.evaluation.scored_slices import upscale_every
from SuperResolutionLib.evaluation.truths import Truth
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.request import UpscaleRequest

from .installing import ESRGAN_MEDIUM, ESRGAN_THICK, real_esrgan_files, upscalerjs_folder
from .real_esrgan import RealESRGAN
from .upscalerjs import UpscalerJS

Method = Callable[[Truth, Volume, str], np.ndarray]
"""``method(truth, coarse stack, degradation)`` -> fine slices ``(N, H, W)`` in the scan's units; only back-projection
is told the degradation."""
Picture = Callable[[np.ndarray], np.ndarray]
WHITE_PERCENTILE = 99.9
"""Of the coarse stack: what is white where a scan becomes an 8-bit picture. Its darkest voxel is black."""


def all_methods(cache: Path) -> dict[str, Method]:
    """Return the methods by their names, in the order of the table; peers are fetched into ``cache``.

    Raises:
        InputError: a peer cannot be fetched.
    """
    interpolations = ("nearest", "bspline", "lanczos", "back-projection")
    return {
        **{METHOD_LABELS[name]: _interpolation(name) for name in interpolations},
        "Real-ESRGAN x4plus": in_eight_bits(RealESRGAN(*real_esrgan_files(cache))),
        "UpscalerJS esrgan-medium": in_eight_bits(UpscalerJS(upscalerjs_folder(ESRGAN_MEDIUM, cache), 255)),
        "UpscalerJS esrgan-thick": in_eight_bits(UpscalerJS(upscalerjs_folder(ESRGAN_THICK, cache), 1)),
        "ours, fast": _ours(quality="fast"),
        "ours, standard": _ours(),
        "ours, detail 1": _ours(detail=1.0),
    }


def in_eight_bits(enlarge: Picture) -> Method:
    """Return the method that makes 8-bit RGB pictures of slices, as that is what a network of photographs takes.

    Args:
        enlarge: of ``(H, W, 3)`` uint8 a finer ``(rows, columns, 3)`` uint8; the grey of a pixel is its mean colour.
    """

    def method(truth: Truth, stack: Volume, degradation: str) -> np.ndarray:
        low = float(stack.voxels.min())
        span = float(np.percentile(stack.voxels, WHITE_PERCENTILE)) - low
        grey = np.rint(255 * np.clip((truth.slices_of(truth.chosen(stack)) - low) / span, 0, 1)).astype(np.uint8)
        fine = np.stack([enlarge(np.repeat(image[..., None], 3, axis=2)).mean(axis=2) for image in grey])
        return low + span / 255 * fine

    return method


def _interpolation(name: str) -> Method:
    def method(truth: Truth, stack: Volume, degradation: str) -> np.ndarray:
        everywhere = np.ones(truth.slices_of(truth.volume).shape, bool)
        return truth.slices_of(upscaled(truth, stack, degradation, name, everywhere, None))

    return method


def _ours(**choices: Any) -> Method:
    """Return the whole program with its defaults but for ``choices``; it computes the scored slices, sees the stack."""

    def method(truth: Truth, stack: Volume, degradation: str) -> np.ndarray:
        request = UpscaleRequest(factor=truth.factors, device="cpu", **choices)
        return truth.slices_of(upscale_every(stack, truth.step, request))

    return method
