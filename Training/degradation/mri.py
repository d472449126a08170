"""What an MRI scanner does to k-space: windows, partial Fourier, and zero-filled interpolation.

The transforms that come before ``Decimated(operator="kspace")`` weight the k-space that it keeps and hand on a complex
slice: a scanner, too, takes the magnitude last. Bias field and contrast are MONAI's own ``RandBiasFieldd`` and
``RandAdjustContrastd``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from monai.config import KeysCollection

from SuperResolutionLib.acquisition.operators import kspace_crop_to, kspace_resized
from Training.degradation.grain import RandNoised, coloured, low_pass, seen_share
from Training.degradation.presets import RandSliceTransform, frequencies


def tukey_window(radius: torch.Tensor, strength: float) -> torch.Tensor:
    """Return 1 up to ``1 - strength`` and a half cosine down to 0 at radius 1 (Harris 1978, "On the use of windows for
    harmonic analysis with the discrete Fourier transform")."""
    taper = ((radius - 1 + strength) / strength).clamp(0, 1)
    return (1 + torch.cos(torch.pi * taper)) / 2


def hamming_window(radius: torch.Tensor, strength: float) -> torch.Tensor:
    """Return a raised cosine from 1 at radius 0 to ``1 - 0.92 * strength`` at 1; Hamming's own (Harris 1978) at
    strength 1."""
    return 1 - 0.46 * strength * (1 - torch.cos(torch.pi * radius))


WINDOWS = {"tukey": tukey_window, "hamming": hamming_window}


def weight_kspace(image: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> torch.Tensor:
    """Return the complex image ``(..., H, W)`` whose k-space along dimension -2 or -1 is multiplied by ``weights``.

    Weights are in the order of ``torch.fft.fftfreq``.
    """
    spectrum = torch.fft.fft2(image)
    for axis, values in weights.items():
        spectrum = spectrum * values.to(spectrum).reshape((-1, 1) if axis == -2 else (-1,))
    return torch.fft.ifft2(spectrum)


def kspace_lines(size: int) -> torch.Tensor:
    """Return the signed numbers of ``size`` k-space lines as float32, in the order of ``torch.fft.fftfreq``."""
    return torch.fft.fftfreq(size, 1 / size)


class RandKSpaceWindowd(RandSliceTransform):
    """Apodisation: the acquired band is tapered along both axes, as scanners do against Gibbs ringing.

    Tukey's or Hamming's window (Harris 1978, "On the use of windows for harmonic analysis with the discrete Fourier
    transform"), drawn with equal chances. The window is even about the centre of k-space, so nothing moves. (MONAI's
    ``GibbsNoise`` cuts instead of tapering, and its mask is half a sample off the centre.)

    Args:
        keys: slices ``(1, H, W)`` on the fine grid, real or complex; complex ones are returned.
        factor: the acquired band is the centre ``1 / factor`` of k-space along both axes; beyond it there is nothing.
        strength: lowest and highest strength, in (0, 1]: of Tukey's window the tapered share, of Hamming's the depth.
        prob: the chance that a window is applied.
    """

    def __init__(
        self,
        keys: KeysCollection,
        factor: int,
        strength: tuple[float, float] = (0.2, 1.0),
        prob: float = 0.1,
        allow_missing_keys: bool = False,
    ):
        super().__init__(keys, prob, allow_missing_keys)
        self.factor, self.strength = factor, strength

    def randomize(self, data: None = None) -> None:
        """Draw whether there is a window, which, and how strong."""
        super().randomize(None)
        self._window = list(WINDOWS.values())[self.R.randint(len(WINDOWS))]
        self._strength = self.R.uniform(*self.strength)

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        weights = {}
        for axis in (-2, -1):
            size = image.shape[axis]
            radius = kspace_lines(size).abs() * (2 * self.factor / size)
            weights[axis] = self._window(radius, self._strength) * (radius <= 1)
        return weight_kspace(image, weights)


class RandPartialFourierd(RandSliceTransform):
    """Partial Fourier: the last lines of one side of k-space, along one axis, are not acquired and left at zero.

    Zero-filling is the plainest of the reconstructions that McGibney et al. 1993, "Quantitative evaluation of several
    partial Fourier reconstruction algorithms used in MRI", compare. The magnitude blurs along that axis only and
    nothing moves, as the spectrum of the point spread function is a shifted box.

    Args:
        keys: slices ``(1, H, W)`` on the fine grid, real or complex; complex ones are returned.
        factor: the full band is the centre ``1 / factor`` of k-space along both axes.
        kept: lowest and highest share of the lines that are acquired; usual are 6/8 and 7/8.
        prob: the chance that lines are missing. The axis and the side are drawn with equal chances.
    """

    def __init__(
        self,
        keys: KeysCollection,
        factor: int,
        kept: tuple[float, float] = (0.75, 0.875),
        prob: float = 0.1,
        allow_missing_keys: bool = False,
    ):
        super().__init__(keys, prob, allow_missing_keys)
        self.factor, self.kept = factor, kept

    def randomize(self, data: None = None) -> None:
        """Draw whether lines are missing, how many, along which axis and on which side."""
        super().randomize(None)
        self._kept = self.R.uniform(*self.kept)
        self._axis, self._side = self.R.choice((-2, -1)), self.R.choice((-1, 1))

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        size = image.shape[self._axis]
        last = (self._kept - 0.5) * size / self.factor
        from_the_middle = kspace_lines(size) + 0.5  # an even band runs from -n to n - 1
        acquired = self._side * from_the_middle < last
        return weight_kspace(image, {self._axis: acquired})


def zero_fill_to(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return the magnitude of ``image`` ``(..., H, W)`` interpolated to ``size`` by zeros around its k-space.

    The inverse of the engine's ``kspace_crop_to`` where the interpolated image is nowhere negative.
    """
    return kspace_resized(image, size).abs()


class RandZeroFilld(RandSliceTransform):
    """A scanner's interpolation: a smaller matrix is acquired and zero-filled to the one that is stored.

    Bernstein et al. 2001, "Effect of windowing and zero-filled reconstruction of MRI data on spatial resolution and
    acquisition strategy". It belongs after the decimation, and after the noise, which it correlates: for that, noise
    has to be among the slice transforms as well.

    Args:
        keys: coarse slices ``(1, H, W)``; their size is kept.
        acquired: lowest and highest share of the matrix that is acquired, drawn for each axis.
        prob: the chance that a slice is zero-filled.
    """

    def __init__(
        self,
        keys: KeysCollection,
        acquired: tuple[float, float] = (0.6, 1.0),
        prob: float = 0.1,
        allow_missing_keys: bool = False,
    ):
        super().__init__(keys, prob, allow_missing_keys)
        self.acquired = acquired

    def randomize(self, data: None = None) -> None:
        """Draw whether the slice is zero-filled, and the acquired share along each axis."""
        super().randomize(None)
        self._acquired = self.R.uniform(*self.acquired, size=2)

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        size = tuple(math.ceil(share * side) for share, side in zip(self._acquired, image.shape[-2:]))
        return zero_fill_to(kspace_crop_to(image, size), tuple(image.shape[-2:]))


class RandScannerNoised(RandNoised):
    """Rician noise of the grain, and of the unevenness, that a scanner leaves (Gudbjartsson and Patz 1995).

    White in half of the cases, else coloured as an interpolated scan has it: k-space is zero beyond a smaller matrix
    (a half of these cases), on one side (partial Fourier, a quarter), or tapered (a quarter). In half of all cases the
    SD changes over the image by up to a half, as the coils' sensitivities and parallel imaging have it (Pruessmann et
    al. 1999, "SENSE: sensitivity encoding for fast MRI").

    Args: as of ``grain.RandNoised``; the images are magnitudes in signal units, and ``sigma`` is of the noise in each
    of the two parts of the complex signal.
    """

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        size = tuple(image.shape[-2:])
        amplitude = self._amplitude(size)
        # Where there is air, the magnitude's SD is two thirds of sigma, and the quietest blocks are what is measured.
        self._seen = self._sigma * seen_share(amplitude) * self.R.uniform(0.5, 0.95)
        white = torch.from_numpy(self.R.standard_normal((*image.shape, 2)))
        noise = coloured(torch.view_as_complex(white), amplitude)
        return (image + self._sigma * self._unevenness(size) * noise).abs().to(image)

    def _amplitude(self, size: tuple[int, int]) -> torch.Tensor:
        down, along = frequencies(size)
        grain = self.R.choice(4, p=(0.5, 0.25, 0.125, 0.125))
        if grain == 0:
            return torch.ones(size)
        if grain == 1:
            return low_pass(down, self.R) * low_pass(along, self.R)
        if grain == 2:
            axis = (down, along)[self.R.randint(2)]
            return (axis <= self.R.uniform(0.25, 0.375)).expand(size).float()
        strength = self.R.uniform(0.5, 1.0)
        return hamming_window(2 * down.abs(), strength) * hamming_window(2 * along.abs(), strength)

    def _unevenness(self, size: tuple[int, int]) -> torch.Tensor:
        if self.R.randint(2):
            return torch.ones(size)
        rises = self.R.uniform(-0.25, 0.25, size=2)
        down, along = (rise * torch.linspace(-1, 1, side) for rise, side in zip(rises, size))
        return 1 + down[:, None] + along
