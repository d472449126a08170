#!/usr/bin/env bash
# MONAI's PersistentDataset gives a volume with its affine the first time, and without it ever after.
#
# Expected: the second reading of an item equals the first; that is what the cache is for.
# Happens:  the first reading, which fills the cache, returns a MetaTensor; each later one, in this epoch or in the next
#           run, returns a plain tensor: affine, file name and history are not in the cache. No warning.
# Version:  MONAI 1.6.1.
# Matters:  what uses the spacing (a resampling, a metric in mm, saving) works in a trial run of one epoch, and fails or
#           falls back to 1 mm at the origin in the second.
# Instead:  PersistentDataset(..., track_meta=True, weights_only=False).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment monai==1.6.1 torch==2.13.0 nibabel==5.4.2 numpy==2.4.6
observe <<'PYTHON'
import nibabel
import numpy as np
from finding import report
from monai.data import PersistentDataset
from monai.transforms import LoadImaged

nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 8), np.float32), np.diag([1.0, 1, 3, 1])), "scan.nii")


def kinds(folder, **options):
    """What three readings give, the last one as in another run."""
    readings = []
    for times in (2, 1):
        data = PersistentDataset([{"image": "scan.nii"}], LoadImaged("image"), cache_dir=folder, **options)
        readings += [data[0]["image"] for _ in range(times)]
    return [f"{type(x).__name__}{' with affine' if hasattr(x, 'affine') else ''}" for x in readings]


default, tracked = kinds("cache"), kinds("other", track_meta=True, weights_only=False)
report(
    "monai torch",
    "the same each time: MetaTensor with affine",
    f"by default {default}; with track_meta=True, weights_only=False {tracked}",
    default == ["MetaTensor with affine", "Tensor", "Tensor"] and tracked == ["MetaTensor with affine"] * 3,
)
PYTHON
