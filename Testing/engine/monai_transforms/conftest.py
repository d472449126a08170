"""Images as MONAI holds them, and a tiny model."""

import numpy as np
import pytest
from monai.data import MetaTensor


@pytest.fixture
def tiny(write_bundle):
    """The folder of a x2 model of random weights, fidelity and perceptual, with an error head, that runs in no time."""
    return str(write_bundle(weights=("fidelity", "perceptual", "error")))


@pytest.fixture(scope="session")
def image_from():
    """The function that returns a Volume as MONAI's ``(1, i, j, k)``, with an affine and nothing else."""

    def image(volume):
        return MetaTensor(np.array(volume.voxels.T)[None], affine=volume.ijk_to_ras.copy())

    return image
