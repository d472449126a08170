"""A small real scan that needs no download: the head MRI slice that matplotlib ships as sample data.

python -m SuperResolutionLib.files.example example.nrrd
"""

from __future__ import annotations

import gzip
import sys

import numpy as np

from ..geometry.volume import Volume
from .writing import write_volume


def example_volume() -> Volume:
    """Return a sagittal head slice, 256 x 256, 16-bit; its file states no spacing, so 1 mm is taken."""
    from matplotlib.cbook import get_sample_data

    with gzip.open(get_sample_data("s1045.ima.gz", asfileobj=False)) as file:
        rows = np.frombuffer(file.read(), dtype="<u2").reshape(1, 256, 256)
    sagittal = np.array([[0, 0, 1, 0], [-1, 0, 0, 128], [0, -1, 0, 128], [0, 0, 0, 1]], dtype=float)
    return Volume(rows, sagittal, "MR")


if __name__ == "__main__":
    write_volume(example_volume(), sys.argv[1])
