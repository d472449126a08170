"""From a fine slice to the coarse one that a scanner would have made: the preset files, and what MRI and CT share.

Transforms are MONAI dictionary transforms on channel-first tensors in signal units: voxel over robust span, with zero
meaning no signal (no magnetisation in MRI, no attenuation in CT). What they return is a plain tensor, as the grid of a
``MetaTensor`` would no longer be true. ``mri`` and ``ct`` hold the steps that only one has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence

import torch
from monai.bundle import ConfigParser
from monai.config import KeysCollection
from monai.data import get_track_meta, set_track_meta
from monai.transforms import Compose, MapTransform, RandomizableTransform
from monai.utils import convert_to_tensor

from SuperResolutionLib.acquisition.operators import OPERATORS
from SuperResolutionLib.acquisition.slice_profile import PROFILES, slice_profile_weights


class PlainCompose(Compose):
    """MONAI's ``Compose`` on plain tensors: to keep the records of ``MetaTensor`` takes half of the time of a patch."""

    def __call__(self, *arguments, **options):
        tracked = get_track_meta()
        set_track_meta(False)
        try:
            return super().__call__(*arguments, **options)
        finally:
            set_track_meta(tracked)


def read_preset(path: os.PathLike | str, factor: int) -> tuple[Compose, Compose]:
    """Return ``(slice_transforms, patch_transforms)`` of a preset, a YAML file in MONAI's configuration language.

    The first are run once on every whole slice, since a k-space crop of a patch would wrap at the patch's borders; the
    second on every patch that is drawn. Both take and return a dictionary of "image", which becomes coarse, and
    "label", the truth: ``(1, H, W)`` float32 tensors in signal units, of the same size before the first, and of
    ``factor`` to one after it. Their randomness is set by ``set_random_state``.

    Args:
        path: a file with the lists ``slice_transforms`` and ``patch_transforms``. It names code that is run, so it
            must be one's own.
        factor: what ``"@factor"`` means in the file.

    Raises:
        KeyError: one of the lists is missing.
    """
    parser = ConfigParser({**ConfigParser.load_config_file(str(path)), "factor": factor})
    return tuple(PlainCompose(parser.get_parsed_content(name)) for name in ("slice_transforms", "patch_transforms"))


class RandSliceTransform(RandomizableTransform, MapTransform):
    """A random step that is drawn once a call, by ``randomize``, and then the same for all keys.

    Args:
        keys: slices ``(1, H, W)``, real or complex. prob: the chance that anything happens.
    """

    def __init__(self, keys: KeysCollection, prob: float, allow_missing_keys: bool = False):
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``image`` after the step as it was drawn."""
        raise NotImplementedError

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        self.randomize(None)
        result = dict(data)
        for key in self.key_iterator(result) if self._do_transform else ():
            result[key] = self.transformed(convert_to_tensor(result[key], track_meta=False))
        return result


def frequencies(size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return, ``(H, 1)`` and ``(1, W)``, frequencies down and across in ``fft2``'s order, in cycles per sample."""
    rows, columns = (torch.fft.fftfreq(side) for side in size)
    return rows[:, None], columns[None]


def filtered(image: torch.Tensor, response: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return real slices ``(..., H, W)`` after a linear filter that moves nothing.

    They are mirrored at their borders, so that a uniform slice stays uniform; zeros beyond the borders would darken it.

    Args:
        response: the filter's gain as a function of the two ``frequencies``, in cycles per sample.
    """
    height, width = image.shape[-2:]
    mirrored = torch.cat([image, image.flip(-2)], dim=-2)
    mirrored = torch.cat([mirrored, mirrored.flip(-1)], dim=-1)
    gain = response(*frequencies((2 * height, 2 * width))).to(image)
    return torch.fft.ifft2(torch.fft.fft2(mirrored) * gain).real[..., :height, :width]


class RandSoftnessd(RandSliceTransform):
    """A scan that is softer than its grid: all that blurred it, such as motion, T2 decay and filters, as one Gaussian.

    A sum of many small blurs tends to a Gaussian by the central limit theorem. On image and label alike, it tells a
    network to leave a soft scan soft. (MONAI's ``RandGaussianSmooth`` pads with zeros and darkens the borders.)

    Args:
        keys: real slices ``(1, H, W)`` on the fine grid.
        sigma: lowest and highest SD of the Gaussian in fine voxels, drawn for each axis.
        prob: the chance that a slice is soft.
    """

    def __init__(
        self,
        keys: KeysCollection,
        sigma: tuple[float, float] = (0.4, 1.6),
        prob: float = 0.1,
        allow_missing_keys: bool = False,
    ):
        super().__init__(keys, prob, allow_missing_keys)
        self.sigma = sigma

    def randomize(self, data: None = None) -> None:
        """Draw whether the slice is soft, and how soft along each axis."""
        super().randomize(None)
        self._sigma = self.R.uniform(*self.sigma, size=2)

    def transformed(self, image: torch.Tensor) -> torch.Tensor:
        down, across = self._sigma
        return filtered(
            image, lambda rows, columns: torch.exp(-2 * (torch.pi**2) * ((down * rows) ** 2 + (across * columns) ** 2))
        )


class Decimated(MapTransform):
    """The step from the fine to the coarse grid, by one of the engine's acquisition operators, whole slices only.

    A coarse voxel covers the ``factor`` x ``factor`` fine voxels under it (the half-voxel rule). ``area`` is a detector
    that integrates over its voxel; ``bicubic`` the antialiased cubic convolution (Keys 1981, "Cubic convolution
    interpolation for digital image processing") of most of the super-resolution literature; ``kspace`` the magnitude
    of the centre ``1 / factor`` of k-space with the half-voxel phase ramp: the matrix that an MRI scanner would have
    acquired in the same field of view, Gibbs ringing included.

    Args:
        keys: slices ``(1, H, W)`` with sides that are multiples of ``factor``; ``kspace`` takes complex ones too.
        factor: fine voxels to a coarse one, along both axes.
        operator: "area", "bicubic" or "kspace".
    """

    def __init__(self, keys: KeysCollection, factor: int, operator: str, allow_missing_keys: bool = False):
        super().__init__(keys, allow_missing_keys)
        self.factor, self.operator = factor, OPERATORS[operator]

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.operator(convert_to_tensor(result[key], track_meta=False)[None], self.factor)[0]
        return result


class SliceProfiled(MapTransform):
    """Thick slices from thin ones: the slice profile, the gap or overlap, and the decimation along one axis.

    A slice is the integral of the magnetisation (in CT, the attenuation) weighted by the profile that the selective
    pulse (the collimation) excites; Greenspan et al. 2002, "MRI inter-slice reconstruction using super-resolution",
    use this model, and Han et al. 2023, "ESPRESO: an algorithm to estimate the slice profile of a single magnetic
    resonance image", show what a wrong profile costs. ``slice_profile_weights`` states where slices lie.

    Args:
        keys: tensors ``(1, D, H, W)`` or ``(1, H, W)`` on the fine grid.
        spacing: the distance of slice centres, in fine voxels; need not be whole.
        fwhm: the slice thickness, in fine voxels: below ``spacing`` there is a gap, above it slices overlap.
        profile: "boxcar", "trapezoid" or "gaussian".
        axis: the tensor's dimension across the slices; the channel is 0.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing: float,
        fwhm: float,
        profile: str = "gaussian",
        axis: int = 1,
        allow_missing_keys: bool = False,
    ):
        super().__init__(keys, allow_missing_keys)
        self.spacing, self.fwhm, self.profile, self.axis = spacing, fwhm, profile, axis

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        result = dict(data)
        for key in self.key_iterator(result):
            image = convert_to_tensor(result[key], track_meta=False)
            weights = slice_profile_weights(image.shape[self.axis], self.spacing, self.fwhm, self.profile)
            thick = torch.tensordot(image, weights.to(image), dims=([self.axis], [1]))
            result[key] = thick.movedim(-1, self.axis)
        return result


class RandSliceProfiled(RandomizableTransform, MapTransform):
    """``SliceProfiled`` with a thickness and a profile drawn anew at every call, the same for all keys.

    Args:
        keys, spacing, axis: as of ``SliceProfiled``.
        thickness: lowest and highest FWHM as shares of ``spacing``; below 1 there is a gap, above 1 an overlap.
        profiles: names that are drawn with equal chances.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing: float,
        thickness: tuple[float, float] = (0.8, 1.2),
        profiles: Sequence[str] = tuple(PROFILES),
        axis: int = 1,
        allow_missing_keys: bool = False,
    ):
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob=1.0)
        self.spacing, self.thickness, self.profiles, self.axis = spacing, thickness, profiles, axis

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        fwhm = self.R.uniform(*self.thickness) * self.spacing
        profile = self.profiles[self.R.randint(len(self.profiles))]
        return SliceProfiled(self.keys, self.spacing, fwhm, profile, self.axis, self.allow_missing_keys)(data)
