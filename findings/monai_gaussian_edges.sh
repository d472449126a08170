#!/usr/bin/env bash
# MONAI's smoothing darkens the border of a volume.
#
# Expected: a constant volume is constant after smoothing, as with SciPy, whose default mirrors the border.
# Happens:  GaussianSmooth takes what lies outside to be 0: at sigma 1 a face falls to 69 %, a corner to 33 %. Resize
#           with anti_aliasing=True smooths by the same filter.
# Version:  MONAI 1.6.1, SciPy 1.17.1.
# Matters:  a coarse training image made this way has a dark frame that no scanner makes, and every patch has one.
# Instead:  pad by reflection, smooth, crop.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment monai==1.6.1 torch==2.13.0 scipy==1.17.1 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import scipy.ndimage
import torch
from finding import report
from monai.transforms import GaussianSmooth, Resize

flat = torch.full((1, 32, 32, 32), 100.0)


def middle_face_corner(volume):
    middle = volume.shape[-1] // 2
    places = ((middle, middle, middle), (0, middle, middle), (0, 0, 0))
    return [round(float(volume[place]), 1) for place in places]


smooth = middle_face_corner(GaussianSmooth(sigma=1.0)(flat)[0])
small = middle_face_corner(Resize((16, 16, 16), anti_aliasing=True)(flat)[0])
scipys = middle_face_corner(scipy.ndimage.gaussian_filter(flat[0].numpy(), 1.0))
report(
    "monai torch scipy",
    "100 in the middle, at a face, in a corner",
    f"GaussianSmooth {smooth}, Resize with anti_aliasing {small}, SciPy {scipys}",
    np.allclose(smooth, [100, 69.1, 33.1], atol=0.2)
    and np.allclose(small, [100, 92.0, 77.9], atol=0.2)
    and np.allclose(scipys, 100, atol=0.1),
)
PYTHON
