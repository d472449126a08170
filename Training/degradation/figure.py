"""Draw what each transform of the degradation does to the embedded example slice: Documentation/degradation.png.

python -m Training.degradation.figure Documentation/degradation.png
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from monai.transforms import MapTransform, RandAdjustContrastd, RandBiasFieldd, RandRicianNoised
from monai.utils import convert_to_tensor

from SuperResolutionLib.acquisition.operators import area_average, kspace_crop
from SuperResolutionLib.files.example import example_volume
from SuperResolutionLib.geometry.intensity import IntensityScale
from Training.degradation.ct import RandMTFBlurd, RandQuantumNoised
from Training.degradation.mri import RandKSpaceWindowd, RandPartialFourierd, RandZeroFilld
from Training.degradation.presets import Decimated, RandSoftnessd, SliceProfiled

WHOLE = (0.0, 1.0, 0.0, 1.0)
DETAIL = (0.5, 0.8125, 0.15625, 0.46875)
WINDOW = (0.0, 1.1)
PAIRS_A_ROW = 3
INCHES, DOTS_PER_INCH = 1.75, 100


@dataclass(frozen=True)
class Step:
    """One pair of panels: ``before`` and ``after`` are whole slices ``(1, H, W)``, shown from ``left``, ``right``,
    ``top`` to ``bottom``, as shares of their sides."""

    title: str
    before: torch.Tensor
    after: torch.Tensor
    part: tuple[float, float, float, float] = DETAIL


def applied(transform: MapTransform, image: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Return ``image`` ``(1, H, W)`` after one transform, with its seed set where it has one."""
    if hasattr(transform, "set_random_state"):
        transform.set_random_state(seed)
    return convert_to_tensor(transform({"image": image})["image"], track_meta=False)


def steps(fine: torch.Tensor) -> list[Step]:
    """Return every transform at work on a fine slice ``(1, H, W)`` in signal units, in the scanner's order."""
    always = {"keys": "image", "prob": 1.0}
    coarse, averaged = kspace_crop(fine[None], 2)[0], area_average(fine[None], 2)[0]
    crop = Decimated("image", 2, "kspace")
    window = RandKSpaceWindowd(factor=2, strength=(1.0, 1.0), **always)
    partial = RandPartialFourierd(factor=2, kept=(0.625, 0.625), **always)
    return [
        Step("Bias field", fine, applied(RandBiasFieldd(coeff_range=(-0.3, 0.3), **always), fine, 4), WHOLE),
        Step("Contrast (gamma 0.6)", fine, applied(RandAdjustContrastd(gamma=(0.6, 0.6), **always), fine), WHOLE),
        Step("A soft scan, 3.8 pixels FWHM", fine, applied(RandSoftnessd(sigma=(1.6, 1.6), **always), fine)),
        Step("Slice profile, 4 mm FWHM", fine, applied(SliceProfiled("image", spacing=4, fwhm=4), fine), WHOLE),
        Step("The same, slices 8 mm apart", fine, applied(SliceProfiled("image", spacing=8, fwhm=4), fine), WHOLE),
        Step("Box average, 1/4", fine, applied(Decimated("image", 4, "area"), fine)),
        Step("Antialiased bicubic, 1/4", fine, applied(Decimated("image", 4, "bicubic"), fine)),
        Step("k-space crop, 1/4", fine, applied(Decimated("image", 4, "kspace"), fine)),
        Step("k-space window (Hann)", coarse, applied(crop, applied(window, fine, 1))),
        Step("k-space window (Hamming)", coarse, applied(crop, applied(window, fine, 0))),
        Step("Partial Fourier, 5/8 of the columns", coarse, applied(crop, applied(partial, fine, 1))),
        Step("Rician noise, 6 %", coarse, applied(RandRicianNoised(std=0.06, sample_std=False, **always), coarse)),
        Step("Zero-fill from 0.4 of the matrix", coarse, applied(RandZeroFilld(acquired=(0.4, 0.4), **always), coarse)),
        Step("CT: MTF blur", fine, applied(RandMTFBlurd(factor=2, f50=(0.25, 0.25), **always), fine)),
        Step(
            "CT: correlated noise, 6 %",
            averaged,
            applied(RandQuantumNoised(sigma=(0.06, 0.06), f50=(0.3, 0.3), **always), averaged),
        ),
    ]


def draw(path: str) -> None:
    """Write the picture as a PNG."""
    voxels = example_volume().voxels
    pairs = steps(torch.from_numpy((voxels / IntensityScale.of(voxels).span).astype("float32")))
    rows = len(pairs) // PAIRS_A_ROW
    figure = Figure(figsize=(2 * PAIRS_A_ROW * INCHES, rows * (INCHES + 0.55)), dpi=DOTS_PER_INCH)
    for place, step in zip(figure.subfigures(rows, PAIRS_A_ROW).ravel(), pairs):
        place.suptitle(step.title, fontsize=11, fontweight="bold", y=0.99)
        panels = place.subplots(1, 2, gridspec_kw={"wspace": 0.04, "left": 0.02, "right": 0.98, "bottom": 0.1})
        for panel, image, name in zip(panels, (step.before, step.after), ("before", "after")):
            panel.imshow(image[0].numpy(), cmap="gray", vmin=WINDOW[0], vmax=WINDOW[1], extent=(0, 1, 1, 0))
            left, right, top, bottom = step.part
            panel.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])
            size = f"{image.shape[-2]} \N{MULTIPLICATION SIGN} {image.shape[-1]}"
            panel.set_xlabel(f"{name}, {size}", fontsize=8, labelpad=2)
    figure.savefig(path, format="png")


if __name__ == "__main__":
    draw(sys.argv[1])
