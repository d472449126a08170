#!/usr/bin/env bash
# MONAI's sliding window over a network that makes finer voxels hands out the coarse voxels' affine.
#
# Expected: SlidingWindowInferer, which places a x4 output by its zoom, gives it an affine that fits, or none.
# Happens:  the output is a MetaTensor with four times the voxels and the input's affine. SaveImage writes it as a body
#           four times larger. With resample=True and an oriented input it trusts that affine: it writes one corner of
#           the result, a 64th of its volume, under the place and size of the whole.
# Version:  MONAI 1.6.1.
# Matters:  voxels look right in a viewer, and every length, place and overlay is wrong.
# Instead:  set the affine yourself: columns divided by the factor, origin moved by (1 / factor - 1) / 2 old voxels.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment monai==1.6.1 torch==2.13.0 nibabel==5.4.2 numpy==2.4.6
observe <<'PYTHON'
import nibabel
import numpy as np
import torch
from finding import report
from monai.inferers import SlidingWindowInferer
from monai.transforms import Compose, LoadImage, Orientation, SaveImage


def four_times_finer(window):
    return torch.nn.functional.interpolate(window, scale_factor=4, mode="nearest")


content = np.arange(16**3, dtype=np.float32).reshape(16, 16, 16)
nibabel.save(nibabel.Nifti1Image(content, np.diag([-1.0, -1, 1, 1])), "scan.nii")
scan = Compose([LoadImage(ensure_channel_first=True), Orientation("RAS")])("scan.nii")
result = SlidingWindowInferer(roi_size=(16, 16, 16))(scan[None], four_times_finer)[0]


def saved(resample):
    SaveImage(output_dir=".", output_ext=".nii", separate_folder=False, print_log=False, resample=resample)(result)
    image = nibabel.load("scan_trans.nii")
    return image.shape, image.header.get_zooms(), len(np.unique(image.get_fdata()))


plain, resampled = saved(False), saved(True)
report(
    "monai torch nibabel",
    "64 x 64 x 64 voxels of 0.25 mm, 4096 grey levels as in the scan",
    f"affine unchanged: {bool((result.affine == scan.affine).all())}; saved (shape, voxel size, grey levels): "
    f"{plain[0]}, {[float(z) for z in plain[1]]}, {plain[2]}; "
    f"with resample=True {resampled[0]}, {[float(z) for z in resampled[1]]}, {resampled[2]}",
    bool((result.affine == scan.affine).all())
    and result.shape == (1, 64, 64, 64)
    and plain == ((64, 64, 64), (1, 1, 1), 4096)
    and resampled == ((16, 16, 16), (1, 1, 1), 64),
)
PYTHON
