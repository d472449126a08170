"""How a scan's point-spread function and noise are found without pairs, from the scan and other people's sharp ones.

Bulat et al. 2018, "To learn image super-resolution, use a GAN to learn how to do image degradation first", with a
generator that has no more parameters than what is sought, as in KernelGAN (Bell-Kligler et al. 2019): an explicit
kernel per axis and a noise level, which can be looked at and can serve data consistency. First a Gaussian kernel and
the noise are fitted to the scan's patch spectrum and to the air around the body, then an adversary that sees a few
voxels refines the kernel's taps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from SuperResolutionLib.acquisition.noise import noise_level
from SuperResolutionLib.errors import InputError
from Training.degradation.learned.blur_and_noise import LearnedDegradation
from Training.degradation.learned.kernels import SUPPORT, UnimodalKernel, gaussian_taps
from Training.degradation.learned.noise_of_air import noise_of_air, noise_to_add
from Training.degradation.learned.patches import PATCH, draw_patches, not_smaller

FITTED_PATCHES = 1500
BATCH = 32
ADVERSARIAL_WEIGHT = 0.02
GAIN_WEIGHT = 0.5
AIR_WEIGHT = 0.5


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
    real = draw_patches(coarse, 1, 0, random, "coarse scan")
    fine = draw_patches(sharp, factor, SUPPORT // 2, random, "sharp scans")
    in_air = noise_of_air(coarse)
    expected = ExpectedNoise(in_air, AIR_WEIGHT) if in_air else ExpectedNoise(max(1e-3, noise_level(real.numpy())), 0)
    kernel, noise, gain = _fit_gaussian(fine[:FITTED_PATCHES], real, factor, expected, generator)
    if in_air:
        blur, large = LearnedDegradation.of(kernel, factor), not_smaller(sharp, factor * PATCH)
        expected = ExpectedNoise(noise_to_add(in_air, large, blur, generator), AIR_WEIGHT)
        kernel, noise, gain = _fit_gaussian(fine[:FITTED_PATCHES], real, factor, expected, generator)
    if iterations:
        kernel, noise = _refine(fine, real, factor, (kernel, noise, gain), expected, iterations, generator, progress)
    return LearnedDegradation.of(kernel, factor, noise, spacing)


@dataclass(frozen=True)
class ExpectedNoise:
    """The level that the noise is kept near, by ``weight``; with weight 0 a first guess."""

    level: float
    weight: float

    def misfit(self, log_noise: torch.Tensor) -> torch.Tensor:
        """Return the weighted squared difference of the logarithms."""
        return self.weight * (log_noise - math.log(self.level)) ** 2


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
    taps, log_noise = UnimodalKernel(kernel), nn.Parameter(torch.tensor(math.log(noise)))
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
