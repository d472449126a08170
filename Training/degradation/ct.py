"""What a CT scanner's reconstruction kernel does: it blurs the image, and it colours the noise."""

from __future__ import annotations

import math

import torch
from monai.config import KeysCollection

from SuperResolutionLib.acquisition.noise import quantum_noise_amplitude
from Training.degradation.grain import RandNoised, coloured, seen_share
from Training.degradation.presets import RandSliceTransform, filtered, frequencies


def gaussian_mtf(frequency: torch.Tensor, f50: float) -> torch.Tensor:
    """Return the MTF of a smooth kernel, a Gaussian that is 0.5 at ``f50``."""
    return torch.exp(-math.log(2) * (frequency / f50) ** 2)


def hann_mtf(frequency: torch.Tensor, f50: float) -> torch.Tensor:
    """Return the MTF of a ramp filter apodised by Hann's window, which is 0.5 at ``f50`` and 0 from twice that on."""
    return (1 + torch.cos(torch.pi / 2 * (frequency / f50).clamp(max=2))) / 2


MTFS = {"gaussian": gaussian_mtf, "hann": hann_mtf}


class RandMTFBlurd(RandSliceTransform):
    """The blur of focal spot, detector and reconstruction kernel, by its modulation transfer function.

    The scanner as a linear system, as in Richard et al. 2012, "Towards task-based assessment of CT performance: system
    and object MTF across different reconstruction algorithms". The slice is mirrored at its borders, so that a uniform
    one stays uniform. (MONAI's ``GaussianSmooth`` pads with zeros and darkens the borders.)

    Args:
        keys: slices ``(1, H, W)`` on the fine grid.
        factor: fine voxels to a coarse one.
        f50: lowest and highest frequency at which half of the contrast is left, in cycles per *coarse* voxel.
        prob: the chance that a slice is blurred. Gaussian and Hann shapes are drawn with equal chances.
    """

    def __init__(
        self,
        keys: KeysCollection,
        factor: int,
        f50: tuple[float, float] = (0.25, 0.6),
        prob: float = 0.1,
        allow_missing_keys: bool = False,
    ):
        super().__init__(keys, prob, allow_missing_keys)
        self.factor, self.f50 = factor, f50

    def randomize(self, data: None = None) -> None:
        """Draw whether the slice is blurred, by which MTF and how strongly."""
        super().randomize(None)
        self._mtf = list(MTFS.values())[self.R.randint(len(MTFS))]
        self._f50 = self.R.uniform(*self.f50)

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        return filtered(image, lambda rows, columns: self._mtf(self.factor * torch.hypot(rows, columns), self._f50))


class RandQuantumNoised(RandNoised):
    """Quantum noise as filtered back-projection leaves it: Gaussian, with little of it at low frequencies.

    Its power spectrum is the ramp times the square of the kernel's MTF (Riederer, Pelc and Chesler 1978, "The noise
    power spectrum in computed X-ray tomography"). The noise is stationary; streaks and the fall of noise towards the
    patient's skin are not modelled, nor is the part that sampling folds back (Kijewski and Judy 1987).

    Args:
        keys, sigma, prob, told: as of ``grain.RandNoised``.
        f50: lowest and highest frequency at which the kernel's MTF (Gaussian) is 0.5, in cycles per coarse voxel.
    """

    def __init__(
        self,
        keys: KeysCollection,
        sigma: tuple[float, float] = (0.0, 0.03),
        f50: tuple[float, float] = (0.25, 0.6),
        prob: float = 0.1,
        allow_missing_keys: bool = False,
        told: str = "noise",
    ):
        super().__init__(keys, sigma, prob, allow_missing_keys, told)
        self.f50 = f50

    def randomize(self, data: None = None) -> None:
        """Draw whether there is noise, how much, and of which grain."""
        super().randomize(None)
        self._f50 = self.R.uniform(*self.f50)

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        frequency = torch.hypot(*frequencies(tuple(image.shape[-2:])))
        amplitude = quantum_noise_amplitude(frequency, self._f50)
        self._seen = self._sigma * seen_share(amplitude)
        white = torch.from_numpy(self.R.standard_normal(tuple(image.shape)))
        return image + (self._sigma * coloured(white, amplitude)).to(image)
