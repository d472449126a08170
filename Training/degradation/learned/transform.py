"""A learned degradation as a transform of MONAI's, for the pairs that a network trains on."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_tensor

from SuperResolutionLib.acquisition.noise import add_rician_noise
from Training.degradation.learned.blur_and_noise import LearnedDegradation


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
