#!/usr/bin/env bash
# ITK reads and writes MINC turned by 180 degrees about the body's long axis.
#
# Expected: SimpleITK's x runs to the left and MINC's to the right, so an image at x = 10, y = 20 is written with a
#           start of -10 and -20, as for NIfTI.
# Happens:  the numbers are written, and read, as they are. SimpleITK reads its own files back where they were, so a
#           round trip shows nothing; every other MINC reader sees them turned, and SimpleITK turns everybody else's.
# Version:  SimpleITK 2.5.7 (ITK 5.4), nibabel 5.4.2.
# Matters:  left and right, front and back are exchanged between a MINC scan and the same scan in any other format.
# Instead:  read MINC with nibabel, or negate the first two rows of direction and origin after reading and before
#           writing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment nibabel==5.4.2 SimpleITK==2.5.7 numpy==2.4.6 h5py==3.16.0
observe <<'PYTHON'
import h5py
import nibabel
import numpy as np
import SimpleITK as sitk
from finding import report

image = sitk.GetImageFromArray(np.zeros((4, 6, 8), np.float32))
image.SetOrigin((10, 20, 30))  # 10 mm to the left, 20 mm to the back, 30 mm up
for name in ("scan.mnc", "scan.nii"):
    sitk.WriteImage(image, name)

with h5py.File("scan.mnc") as file:
    says = file["minc-2.0/dimensions/xspace"].attrs["comments"].decode()
minc, nifti = nibabel.load("scan.mnc"), nibabel.load("scan.nii")
minc_first = (minc.affine @ [0, 0, 0, 1])[:3].tolist()
minc_left = float(np.sign(minc.affine[0, 2]))  # nibabel gives MINC's axes as z, y, x
nifti_first = (nifti.affine @ [0, 0, 0, 1])[:3].tolist()
back = sitk.ReadImage("scan.mnc").GetOrigin()
report(
    "SimpleITK nibabel",
    f"first voxel at [-10, -20, 30] to the right, front and top; the file says '{says}'",
    f"NIfTI {nifti_first}; MINC {minc_first}; read back by SimpleITK at {back}, as written",
    nifti_first == [-10, -20, 30] and minc_first == [10, 20, 30] and minc_left == 1 and back == (10, 20, 30),
)
PYTHON
