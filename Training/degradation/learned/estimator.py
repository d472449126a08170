"""A scan's degradation, learned without pairs: the point-spread function and the noise of a given scan.

    python -m Training.degradation.learned.estimator SCAN --sharp FOLDER_OR_FILES --factor 2 --out degradation.json

Bulat et al. 2018, "To learn image super-resolution, use a GAN to learn how to do image degradation first", with a
generator that has no more parameters than what is sought, as in KernelGAN (Bell-Kligler et al. 2019): an explicit
kernel per axis and a noise level, which can be looked at and can serve data consistency. First a Gaussian kernel and
the noise are fitted to the scan's patch spectrum and to the air around the body, then an adversary that sees a few
voxels refines the kernel's taps.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_tensor
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from SuperResolutionLib.acquisition.noise import add_rician_noise, noise_level
from SuperResolutionLib.acquisition.operators import kspace_crop_to
from SuperResolutionLib.acquisition.slice_profile import FWHM_OF_UNIT_GAUSSIAN
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.whole_outputs import check_output_folder, temporary_name
from SuperResolutionLib.files.writing import OUTPUT_SUFFIXES
from SuperResolutionLib.geometry.intensity import IntensityScale
from Training.degradation.learned.noise_of_air import noise_of_air

SUPPORT = 5  # coarse voxels that a kernel spans: odd, so that factor * SUPPORT taps are centred on the coarse voxel
PATCH = 16  # coarse voxels
PATCHES = 4000
TRIES = 40  # draws of a quarter of the patches each
FITTED_PATCHES = 1500
FORMAT = "superresolution learned degradation 1"
BATCH = 32
ADVERSARIAL_WEIGHT = 0.02
GAIN_WEIGHT = 0.5
AIR_WEIGHT = 0.5
AIR_STEPS = 4


@dataclass(frozen=True)
class LearnedDegradation:
    """How a scan's coarse slices come out of fine ones: blur, decimation, Rician noise.

    Attributes:
        rows, columns: the taps of the separable kernel down the rows (axis H) and along the columns (axis W) of the
            fine grid: ``5 * factor`` each, not negative, symmetric, of sum 1. Their middle is the middle of the
            coarse voxel: the half-voxel rule.
        factor: fine voxels per coarse voxel and axis.
        noise: SD of the Rician noise per channel, as a share of the scan's robust range.
        spacing: distance in mm of the coarse voxels down the rows and along the columns, or None where not known.

    Raises:
        InputError: the numbers are not such a degradation.
    """

    rows: tuple[float, ...]
    columns: tuple[float, ...]
    factor: int
    noise: float
    spacing: tuple[float, float] | None = None

    def __post_init__(self):
        for taps in (self.rows, self.columns):
            taps = np.array(taps)
            if taps.shape != (SUPPORT * self.factor,) or not (taps >= 0).all() or abs(taps.sum() - 1) > 1e-4:
                raise InputError(
                    f"A learned degradation of factor {self.factor} needs {SUPPORT * self.factor} taps per axis, none"
                    " negative, of sum 1; learn it again."
                )
            if np.abs(taps - taps[::-1]).max() > 1e-4:
                raise InputError("A kernel of the learned degradation is not symmetric; learn it again.")
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise InputError(f"The learned degradation's noise is {self.noise}, not 0 or more; learn it again.")

    @property
    def kernel(self) -> np.ndarray:
        """The two-dimensional point-spread function, ``(5 * factor, 5 * factor)``, on the fine grid."""
        return np.outer(self.rows, self.columns)

    @property
    def fwhm_voxels(self) -> tuple[float, float]:
        """Full width at half maximum down the rows and along the columns, in coarse voxels."""
        return full_width(self.rows) / self.factor, full_width(self.columns) / self.factor

    @property
    def fwhm_mm(self) -> tuple[float, float] | None:
        """The same in mm, where the spacing is known."""
        return self.spacing and tuple(width * step for width, step in zip(self.fwhm_voxels, self.spacing))

    def check_factor(self, factor: int) -> None:
        """Raise InputError unless ``factor`` is the learned one."""
        if factor != self.factor:
            raise InputError(f"This degradation was learned for factor {self.factor}, not {factor}; learn it again.")

    def operator(self, image: torch.Tensor, factor: int) -> torch.Tensor:
        """Return ``(N, 1, H, W)`` blurred and decimated, ``(N, 1, H / factor, W / factor)``: ``A`` without its noise.

        Linear and used like those in ``SuperResolutionLib.acquisition.operators.OPERATORS``; the sides are multiples of
        the factor, and beyond the border the image goes on with its last voxel.

        Raises:
            InputError: ``factor`` is not the learned one.
        """
        self.check_factor(factor)
        margin = factor * (SUPPORT // 2)
        rows, columns = (torch.tensor(t, dtype=image.dtype, device=image.device) for t in (self.rows, self.columns))
        image = F.pad(image, (margin,) * 4, mode="replicate")
        image = F.conv2d(image, rows.reshape(1, 1, -1, 1), stride=(factor, 1))
        return F.conv2d(image, columns.reshape(1, 1, 1, -1), stride=(1, factor))

    def save(self, path: os.PathLike | str) -> None:
        """Write plain JSON, whole or not at all.

        Raises:
            InputError: the folder cannot be written.
        """
        check_output_folder(path)
        content = {"format": FORMAT, **asdict(self), "fwhm_voxels": self.fwhm_voxels, "fwhm_mm": self.fwhm_mm}
        partial = temporary_name(path)
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def load(cls, path: os.PathLike | str) -> LearnedDegradation:
        """Read what ``save`` wrote.

        Raises:
            InputError: no such file, or not such a file.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError
            return cls(
                rows=tuple(map(float, content["rows"])),
                columns=tuple(map(float, content["columns"])),
                factor=int(content["factor"]),
                noise=float(content["noise"]),
                spacing=content["spacing"] and tuple(map(float, content["spacing"])),
            )
        except InputError:
            raise
        except OSError:
            raise InputError(f"There is no file {path} that can be read; check the path.") from None
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{path} is not a learned degradation; make one with Training.degradation.learned.estimator."
            ) from None


class LearnedDegradationd(RandomizableTransform, MapTransform):
    """Make fine slices coarse as a given scan is: a source of training pairs, for a MONAI pipeline.

    On each key: ``(1, H, W)`` float32 in signal units (zero is no signal, about 1 the robust range), with sides that
    are multiples of the factor, to ``(1, H / factor, W / factor)``. The kernel is fixed, the noise is drawn.

    Args:
        keys: the keys of the slices.
        file: the JSON file that ``LearnedDegradation.save`` wrote.
        noise_range: the noise is the learned level times a number drawn evenly from this range.
        factor: the factor that the pipeline works at; None takes the learned one.

    Raises:
        InputError: ``file`` is not a learned degradation, or one of another factor.
    """

    def __init__(
        self,
        keys: KeysCollection,
        file: os.PathLike | str,
        noise_range: Sequence[float] = (0.8, 1.2),
        factor: int | None = None,
        allow_missing_keys: bool = False,
    ):
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob=1.0)
        self.degradation, self.noise_range = LearnedDegradation.load(file), tuple(noise_range)
        self.degradation.check_factor(factor or self.degradation.factor)

    def __call__(self, data: dict) -> dict:
        """Return ``data`` with coarse slices."""
        data = dict(data)
        for key in self.key_iterator(data):
            noise = self.degradation.noise * self.R.uniform(*self.noise_range)
            generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
            fine = convert_to_tensor(data[key], track_meta=False)
            coarse = self.degradation.operator(fine[None], self.degradation.factor)[0]
            data[key] = add_rician_noise(coarse.clamp(min=0), noise, generator)
        return data


def full_width(taps: Sequence[float]) -> float:
    """Return the full width at half maximum of symmetric taps, in taps, of the band-limited curve through them.

    A curve, because a kernel with an even number of taps has none at its centre, and the two highest would hide its
    peak. A kernel that does not fall to half is as wide as its support.
    """
    taps = np.asarray(taps, dtype=np.float64)
    frequencies = np.linspace(0, 0.5, 257)
    weights = np.full(257, 2.0)
    weights[[0, -1]] = 1
    offsets = np.arange(len(taps)) - (len(taps) - 1) / 2
    transfer = np.cos(2 * np.pi * np.outer(frequencies, offsets)) @ taps * weights
    positions = np.linspace(0, len(taps) / 2, 4001)
    curve = np.cos(2 * np.pi * np.outer(positions, frequencies)) @ transfer
    beyond = int(np.argmax(curve < curve[0] / 2))
    if not beyond:
        return float(len(taps))
    share = (curve[beyond - 1] - curve[0] / 2) / (curve[beyond - 1] - curve[beyond])
    return float(2 * (positions[beyond - 1] + share * positions[1]))


def gaussian_taps(fwhm: torch.Tensor | float, factor: int) -> torch.Tensor:
    """Return the ``5 * factor`` taps of a Gaussian of the given FWHM in coarse voxels, of sum 1."""
    offsets = torch.arange(SUPPORT * factor) - (SUPPORT * factor - 1) / 2
    taps = torch.exp(-0.5 * (offsets * FWHM_OF_UNIT_GAUSSIAN / (fwhm * factor)) ** 2)
    return taps / taps.sum()


def learn_degradation(
    coarse: Sequence[torch.Tensor],
    sharp: Sequence[torch.Tensor],
    factor: int,
    iterations: int = 150,
    seed: int = 0,
    spacing: tuple[float, float] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LearnedDegradation:
    """Learn how slices like ``sharp`` become slices like ``coarse``. They are of different people.

    Args:
        coarse: the slices of the coarse scan(s), each ``(N, H, W)`` float32, in signal units: zero is no signal and
            the robust range is 1.
        sharp: the same of several sharp scans of the same contrast and body part, on a grid ``factor`` times as fine.
        factor: fine voxels per coarse voxel and axis, 2 or more.
        iterations: steps of the adversarial refinement; 0 returns the Gaussian that fits the spectrum.
        seed: of patches, noise and discriminator.
        spacing: of the coarse voxels, in mm; it is only noted.
        progress: called with ``(done, iterations)``.

    Raises:
        InputError: the slices are too small, or hold too little that is bright enough to compare.
    """
    if factor < 2:
        raise InputError(f"A degradation of factor {factor} has nothing to learn; give 2 or more.")
    random = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    real = _draw_patches(coarse, 1, 0, random, "coarse scan")
    fine = _draw_patches(sharp, factor, SUPPORT // 2, random, "sharp scans")
    in_air = noise_of_air(coarse)
    expected = ExpectedNoise(in_air, AIR_WEIGHT) if in_air else ExpectedNoise(max(1e-3, noise_level(real.numpy())), 0)
    kernel, noise, gain = _fit_gaussian(fine[:FITTED_PATCHES], real, factor, expected, generator)
    if in_air:
        large = _not_smaller(sharp, factor * PATCH)
        expected = ExpectedNoise(_noise_to_add(in_air, large, kernel, factor, generator), AIR_WEIGHT)
        kernel, noise, gain = _fit_gaussian(fine[:FITTED_PATCHES], real, factor, expected, generator)
    if iterations:
        kernel, noise = _refine(fine, real, factor, (kernel, noise, gain), expected, iterations, generator, progress)
    return _as_degradation(kernel, factor, noise, spacing)


def _as_degradation(
    kernel: torch.Tensor, factor: int, noise: float = 0.0, spacing: tuple[float, float] | None = None
) -> LearnedDegradation:
    rows, columns = (tuple(taps.double().div(taps.double().sum()).tolist()) for taps in kernel)
    return LearnedDegradation(rows, columns, factor, noise, spacing)


@dataclass(frozen=True)
class ExpectedNoise:
    """The level that the noise is kept near, by ``weight``; with weight 0 a first guess."""

    level: float
    weight: float

    def misfit(self, log_noise: torch.Tensor) -> torch.Tensor:
        """Return the weighted squared difference of the logarithms."""
        return self.weight * (log_noise - math.log(self.level)) ** 2


def _not_smaller(stacks: Sequence[torch.Tensor], side: int) -> list[torch.Tensor]:
    return [stack for stack in stacks if len(stack) and min(stack.shape[-2:]) >= side]


def _draw_patches(
    stacks: Sequence[torch.Tensor], factor: int, margin: int, random: np.random.Generator, what: str
) -> torch.Tensor:
    """Return patches of ``PATCH`` coarse voxels and a margin, from places that are mostly tissue.

    The scans may have been stripped of their background, with the noise there, after the fact; and tissue is judged
    over blocks of 4 x 4 coarse voxels, so that noise does not decide what is compared.
    """
    core, side = factor * PATCH, factor * (PATCH + 2 * margin)
    stacks = _not_smaller(stacks, side)
    if not stacks:
        raise InputError(f"The {what} must have slices of {side} x {side} voxels or more; give larger ones.")
    patches = torch.empty(0, side, side)
    for _ in range(TRIES):
        drawn = []
        for _ in range(PATCHES // 4):
            stack = stacks[random.integers(len(stacks))]
            index, top, left = (int(random.integers(n)) for n in np.array(stack.shape) - (0, side - 1, side - 1))
            drawn.append(stack[index, top : top + side, left : left + side])
        drawn = torch.stack(drawn)
        inner = drawn[:, factor * margin :, factor * margin :][:, :core, :core]
        bright = (F.avg_pool2d(inner, 4 * factor) > 0.2).float().mean((1, 2)) > 0.75
        patches = torch.cat([patches, drawn[bright]])
        if len(patches) >= PATCHES:
            break
    if len(patches) < PATCHES // 20:
        raise InputError(f"The {what} hold too little tissue to compare; give scans whose slices it fills more.")
    return patches[:PATCHES]


def _degraded(fine: torch.Tensor, kernel: torch.Tensor, factor: int) -> torch.Tensor:
    """Return patches ``(N, P, P)`` of fine ones with margins; the convolutions as two small matrix products."""
    taps = kernel.shape[1]
    columns = factor * torch.arange(PATCH)[:, None] + torch.arange(taps)
    rows, across = (
        torch.zeros(PATCH, fine.shape[-1]).scatter(1, columns, profile.expand(PATCH, taps)) for profile in kernel
    )
    return rows @ fine @ across.T


def _spectrum(patches: torch.Tensor) -> torch.Tensor:
    """Return the square root of the windowed amplitude at each frequency, ``(N, P, P // 2 + 1)``.

    The root makes the mean over patches one of many patches, not of the few with the strongest edges.
    """
    window = torch.hann_window(PATCH + 2)[1:-1]
    window = window[:, None] * window
    mean = (patches * window).sum((-2, -1), keepdim=True) / window.sum()
    return (torch.view_as_real(torch.fft.rfft2((patches - mean) * window)).square().sum(-1) + 1e-12) ** 0.25


def _noise_to_add(
    in_air: float, sharp: Sequence[torch.Tensor], kernel: torch.Tensor, factor: int, generator: torch.Generator
) -> float:
    """Return the noise with which the air of degraded sharp slices, which have some, is as noisy as the scan's.

    Where their air shows none, or they seem noisier than the scan, the scan's level is returned: pairs with too much
    noise do less harm than pairs with none.
    """
    blur = _as_degradation(kernel, factor)
    blurred = []
    for stack in sharp:
        height, width = (size // factor * factor for size in stack.shape[1:])
        blurred.append(blur.operator(stack[:, None, :height, :width].clamp(min=0), factor)[:, 0])
    level = in_air
    for _ in range(AIR_STEPS):
        # where a background was cut out, nobody measured anything
        made = noise_of_air([add_rician_noise(stack, level, generator) * (stack > 0) for stack in blurred])
        if made is None:
            return level
        power = level**2 + in_air**2 - made**2
        if power <= (in_air / 10) ** 2:
            return in_air
        level = math.sqrt(power)
    return level


def _compared_frequencies() -> torch.Tensor:
    """Return which frequencies are compared: those that the window's own width does not reach."""
    radius = torch.hypot(torch.fft.fftfreq(PATCH)[:, None], torch.fft.rfftfreq(PATCH)[None])
    return radius * PATCH > 1.9


def _spectral_misfit(generated: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of the log power."""
    misfit = 4 * (_spectrum(generated).mean(0) / wanted).log()
    return (misfit[_compared_frequencies()] ** 2).mean()


def _fit_gaussian(
    fine: torch.Tensor, real: torch.Tensor, factor: int, expected: ExpectedNoise, generator: torch.Generator
) -> tuple[torch.Tensor, float, float]:
    """Return the kernel ``(2, taps)``, noise and gain whose spectrum is the scan's.

    The gain is how much stronger the scan's contrast is than the sharp ones'; it is held near 1, as next to it a wider
    kernel and a stronger contrast are hard to tell apart.
    """
    draws = torch.randn(2, len(fine), PATCH, PATCH, generator=generator)
    wanted = _spectrum(real).mean(0)
    logs = torch.tensor([math.log(1.2), math.log(1.2), math.log(expected.level), 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([logs], max_iter=40, line_search_fn="strong_wolfe")

    def kernel() -> torch.Tensor:
        return torch.stack([gaussian_taps(fwhm, factor) for fwhm in logs[:2].exp()])

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        signal = _degraded(fine, kernel(), factor) * logs[3].exp()
        noise = logs[2].exp() * draws
        misfit = _spectral_misfit(torch.hypot(signal + noise[0], noise[1]), wanted)
        value = misfit + GAIN_WEIGHT * logs[3] ** 2 + expected.misfit(logs[2])
        value.backward()
        return value

    optimiser.step(loss)
    noise, gain = logs.detach()[2:].exp().tolist()
    return kernel().detach(), noise, gain


class _UnimodalKernel(nn.Module):
    """Two symmetric profiles that never rise away from their middle: mixtures of box averages of all widths.

    Any such profile is one (Khinchin 1938), so that no shape is assumed; negative taps and side lobes are ruled out.
    """

    def __init__(self, kernel: torch.Tensor):
        super().__init__()
        taps = kernel.shape[1]
        self.widths = torch.arange(2 - taps % 2, taps + 1, 2, dtype=torch.float32)
        heights = kernel[:, taps // 2 :]
        steps = heights - F.pad(heights[:, 1:], (0, 1))
        self.logits = nn.Parameter((steps * self.widths).clamp(min=1e-3).log())

    def forward(self) -> torch.Tensor:
        """Return the taps, ``(2, taps)``, each row of sum 1."""
        steps = torch.softmax(self.logits, dim=1) / self.widths
        half = steps.flip(1).cumsum(1).flip(1)
        odd = int(self.widths[0]) == 1
        return torch.cat([half[:, 1:].flip(1) if odd else half.flip(1), half], dim=1)


def _patch_discriminator() -> nn.Sequential:
    """Return a discriminator that sees 7 x 7 coarse voxels: enough for texture and noise, too few for anatomy."""
    layers = [nn.Conv2d(1, 16, 5), nn.Conv2d(16, 16, 3), nn.Conv2d(16, 16, 1), nn.Conv2d(16, 1, 1)]
    activations = [nn.LeakyReLU(0.2), nn.LeakyReLU(0.2), nn.LeakyReLU(0.2), nn.Identity()]
    pairs = zip(layers, activations)
    return nn.Sequential(*(m for layer, act in pairs for m in (nn.utils.parametrizations.spectral_norm(layer), act)))


def _refine(
    fine: torch.Tensor,
    real: torch.Tensor,
    factor: int,
    start: tuple[torch.Tensor, float, float],
    expected: ExpectedNoise,
    iterations: int,
    generator: torch.Generator,
    progress: Callable[[int, int], None],
) -> tuple[torch.Tensor, float]:
    """Return kernel and noise refined by a least-squares GAN (Mao et al. 2017) beside the spectral misfit.

    A GAN circles its solution, so the mean over the second half of the run is returned.
    """
    kernel, noise, gain = start
    wanted = _spectrum(real).mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator.initial_seed())
        discriminator = _patch_discriminator()
    taps, log_noise = _UnimodalKernel(kernel), nn.Parameter(torch.tensor(math.log(noise)))
    generator_steps = torch.optim.Adam([*taps.parameters(), log_noise], lr=0.01, betas=(0.5, 0.99))
    discriminator_steps = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    total, count = torch.zeros_like(kernel), 0
    total_log_noise = 0.0
    for done in range(iterations):
        chosen = torch.randint(len(fine), (BATCH,), generator=generator)
        signal = _degraded(fine[chosen], taps(), factor) * gain
        draws = torch.randn(2, *signal.shape, generator=generator) * log_noise.exp()
        generated = torch.hypot(signal + draws[0], draws[1])
        measured = real[torch.randint(len(real), (BATCH,), generator=generator)]

        truth, lie = discriminator(measured[:, None]), discriminator(generated.detach()[:, None])
        discriminator_steps.zero_grad()
        (((truth - 1) ** 2).mean() + (lie**2).mean()).backward()
        discriminator_steps.step()

        adversarial = ((discriminator(generated[:, None]) - 1) ** 2).mean()
        generator_steps.zero_grad()
        misfit = _spectral_misfit(generated, wanted) + expected.misfit(log_noise)
        (misfit + ADVERSARIAL_WEIGHT * adversarial).backward()
        generator_steps.step()
        if done >= iterations // 2:
            total, count = total + taps().detach(), count + 1
            total_log_noise += float(log_noise.detach())
        progress(done + 1, iterations)
    return total / count, math.exp(total_log_noise / count)


def read_slices(path: Path, axis: str = "k") -> tuple[torch.Tensor, tuple[float, float]]:
    """Return the slices of a scan across ``axis`` with content, and the spacing of their rows and columns in mm.

    The slices are ``(N, H, W)`` float32 in shares of the robust range, zero still zero.

    Raises:
        InputError: not a scan, or constant.
    """
    volume = read_volume(path)
    try:
        span = IntensityScale.of(volume.voxels).span
    except ValueError:
        raise InputError(f"{path.name} is constant; give a scan.") from None
    position = "kji".index(axis)
    slices = np.moveaxis(volume.voxels, position, 0).astype(np.float32) / span
    content = slices.std(axis=(1, 2))
    steps = tuple(step for step, name in zip(reversed(volume.spacing), "kji") if name != axis)
    return torch.from_numpy(slices[content > 0.5 * content.max()]), steps


def read_sharp_slices(paths: Sequence[Path], fine_spacing: tuple[float, float], axis: str = "k") -> list[torch.Tensor]:
    """Return the slices of each sharp scan on a grid of ``fine_spacing`` mm: finer ones lose the outer k-space.

    Raises:
        InputError: a scan is coarser than that by more than 10 %.
    """
    stacks = []
    for path in paths:
        slices, spacing = read_slices(path, axis)
        ratios = [has / wanted for has, wanted in zip(spacing, fine_spacing)]
        if max(ratios) > 1.1:
            raise InputError(
                f"{path.name} has voxels of {max(spacing):.2f} mm, coarser than the {max(fine_spacing):.2f} mm that"
                " the factor asks for; give finer scans or a smaller factor."
            )
        size = tuple(round(n * min(1.0, ratio)) for n, ratio in zip(slices.shape[1:], ratios))
        stacks.append(kspace_crop_to(slices[:, None], size)[:, 0] if size != tuple(slices.shape[1:]) else slices)
    return stacks


def draw_figure(
    degradation: LearnedDegradation, coarse: torch.Tensor, sharp: torch.Tensor, path: os.PathLike | str, seed: int = 0
) -> None:
    """Draw the kernel, its transfer function and a slice of the scan beside a generated one, as PNG.

    ``coarse`` and ``sharp`` are ``(N, H, W)`` stacks of slices in signal units; their middle ones are shown.
    """
    from matplotlib.figure import Figure

    factor = degradation.factor
    size = [n // factor * factor for n in sharp.shape[1:]]
    fine = sharp[len(sharp) // 2, : size[0], : size[1]]
    made = degradation.operator(fine[None, None], factor).clamp(min=0)
    made = add_rician_noise(made, degradation.noise, torch.Generator().manual_seed(seed))[0, 0]
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplot_mosaic([["kernel", "profile", "transfer"], ["sharp", "made", "scan"]])

    reach = SUPPORT / 2
    axes["kernel"].imshow(degradation.kernel, extent=(-reach, reach, reach, -reach), cmap="magma")
    axes["kernel"].set(title="Kernel", xlabel="columns, coarse voxels", ylabel="rows, coarse voxels")
    offsets = (np.arange(SUPPORT * factor) - (SUPPORT * factor - 1) / 2) / factor
    frequencies = np.linspace(0, factor / 2, 200)
    for name, taps, width in zip(("rows", "columns"), (degradation.rows, degradation.columns), degradation.fwhm_voxels):
        axes["profile"].plot(offsets, np.array(taps) * factor, "o-", label=f"{name}: FWHM {width:.2f} voxels")
        transfer = np.cos(2 * np.pi * np.outer(frequencies, offsets)) @ np.array(taps)
        axes["transfer"].plot(frequencies, transfer, label=name)
    axes["profile"].set(title="Profiles", xlabel="coarse voxels", ylim=(0, 1.3 * axes["profile"].get_ylim()[1]))
    axes["profile"].legend(fontsize=8, loc="upper center")
    axes["transfer"].axvline(0.5, color="grey", linestyle=":", label="Nyquist of the scan")
    axes["transfer"].set(title="MTF", xlabel="cycles per coarse voxel")
    axes["transfer"].legend(fontsize=8)
    pictures = {
        "sharp": ("Sharp scan", fine),
        "made": (f"The same, degraded (noise {100 * degradation.noise:.1f} %)", made),
        "scan": ("The coarse scan", coarse[len(coarse) // 2]),
    }
    for name, (title, picture) in pictures.items():
        axes[name].imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes[name].set_title(title)
        axes[name].axis("off")
    figure.savefig(path, dpi=90)


def _scans(paths: Sequence[Path]) -> list[Path]:
    found = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.name.lower().endswith(OUTPUT_SUFFIXES)) if path.is_dir() else []
        found += inside or [path]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 bad input, said in one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path, help="the coarse scan")
    parser.add_argument("--sharp", type=Path, nargs="+", required=True, help="sharp scans of others, or their folder")
    parser.add_argument(
        "--factor", type=int, choices=(2, 3, 4), default=2, help="fine voxels per coarse voxel and axis"
    )
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--iterations", type=int, default=150, help="adversarial steps; 0 keeps the Gaussian")
    parser.add_argument("--axis", choices=tuple("kji"), default="k", help="the axis across the slices")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="a PNG of the kernel, its MTF and a generated slice")
    options = parser.parse_args(arguments)
    try:
        check_output_folder(options.out)
        coarse, spacing = read_slices(options.scan, options.axis)
        fine_spacing = tuple(step / options.factor for step in spacing)
        sharp = read_sharp_slices(_scans(options.sharp), fine_spacing, options.axis)
        with tqdm(total=options.iterations, unit="step", disable=not options.iterations) as bar:
            degradation = learn_degradation(
                [coarse],
                sharp,
                options.factor,
                options.iterations,
                options.seed,
                spacing,
                progress=lambda done, total: bar.update(done - bar.n),
            )
        degradation.save(options.out)
        if options.figure:
            check_output_folder(options.figure)
            draw_figure(degradation, coarse, sharp[0], options.figure)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    rows, columns = degradation.fwhm_mm
    print(
        f"FWHM {rows:.2f} mm down the rows, {columns:.2f} mm along the columns; noise {100 * degradation.noise:.1f} %"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
