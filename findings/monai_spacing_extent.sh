#!/usr/bin/env bash
# MONAI's Spacing to finer voxels cuts a rim off the volume.
#
# Expected: the same box in finer voxels: 16 slices of 3 mm are 64 of 0.75 mm.
# Happens:  the centres of the first and last voxels are kept, not the faces, and half a coarse voxel less half a fine
#           one goes from each side: 61 slices. To coarser voxels the box grows. scale_extent=True (not the default)
#           keeps it.
# Version:  MONAI 1.6.1.
# Matters:  factors are no whole numbers any more (61 / 16), volumes of a pair do not fit, and the outermost half slice,
#           1.1 mm here, is gone.
# Instead:  Spacing(pixdim, scale_extent=True), likewise Spacingd.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment monai==1.6.1 torch==2.13.0 numpy==2.4.6
observe <<'PYTHON'
import torch
from finding import report
from monai.data import MetaTensor
from monai.transforms import Spacing

scan = MetaTensor(torch.zeros(1, 16, 16, 16), affine=torch.diag(torch.tensor([1.0, 1, 3, 1])))


def slices_and_faces(volume):
    affine, n = volume.affine.numpy(), volume.shape[-1]
    return n, [round(float((affine @ [0, 0, k, 1])[2]), 3) for k in (-0.5, n - 0.5)]


before = slices_and_faces(scan)
default = slices_and_faces(Spacing((0.25, 0.25, 0.75))(scan))
extent = slices_and_faces(Spacing((0.25, 0.25, 0.75), scale_extent=True)(scan))
report(
    "monai torch",
    f"{before[0]} slices of 3 mm between {before[1]} mm become 64 of 0.75 mm between the same",
    f"{default[0]} between {default[1]} by default, {extent[0]} between {extent[1]} with scale_extent=True",
    before == (16, [-1.5, 46.5]) and default == (61, [-0.375, 45.375]) and extent == (64, [-1.5, 46.5]),
)
PYTHON
