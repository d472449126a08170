"""Simulated scans of which the degradation is known."""

import numpy as np
import pytest
import torch

from SuperResolutionLib.acquisition.noise import add_rician_noise
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from Training.degradation.learned import estimator, patches
from Training.degradation.learned.blur_and_noise import LearnedDegradation
from Training.degradation.learned.kernels import gaussian_taps

FACTOR = 2


@pytest.fixture(scope="session")
def degradation():
    """``degradation(rows=1.2, columns=1.6, noise=0.02, factor=2)``, Gaussian, of these FWHM in coarse voxels."""

    def make(rows=1.2, columns=1.6, noise=0.02, factor=FACTOR):
        profiles = (gaussian_taps(width, factor).double() for width in (rows, columns))
        return LearnedDegradation(*(tuple((p / p.sum()).tolist()) for p in profiles), factor, noise, (1.0, 1.5))

    return make


@pytest.fixture(scope="session")
def textured_slices():
    """``textured_slices(seed)``: sharp-edged regions of random brightness and texture, ``(count, size, size)``."""

    def draw(seed, count=10, size=176):
        random = torch.Generator().manual_seed(seed)
        frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]) + 1 / size
        fields = torch.fft.rfft2(torch.randn(2, count, size, size, generator=random))
        smooth, texture = (torch.fft.irfft2(fields[n] / frequency**power) for n, power in enumerate((2.0, 1.0)))
        regions = torch.bucketize(smooth / smooth.std(), torch.linspace(-1.5, 1.5, 7)).float() / 12
        return 0.4 + regions + 0.05 * texture / texture.std()

    return draw


@pytest.fixture(scope="session")
def coarse_slices(textured_slices):
    """``coarse_slices(truth, seed)``: such slices, degraded as ``truth`` says."""

    def degrade(truth, seed):
        blurred = truth.operator(textured_slices(seed)[:, None], FACTOR)
        return add_rician_noise(blurred, truth.noise, torch.Generator().manual_seed(seed))[:, 0]

    return degrade


@pytest.fixture(scope="session")
def scan():
    """``scan(path, slices, step)`` writes slices as a scan of so many mm a voxel."""

    def write(path, slices, step):
        write_volume(Volume((1000 * slices).numpy().astype(np.int16), np.diag([step, step, 3, 1.0])), path)

    return write


@pytest.fixture
def file(degradation, tmp_path):
    """The path of a learned degradation."""
    path = tmp_path / "degradation.json"
    degradation().save(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def few_patches():
    """What makes learning take a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "PATCHES", 800)
        patch.setattr(patches, "TRIES", 12)
        patch.setattr(estimator, "FITTED_PATCHES", 500)
        yield
