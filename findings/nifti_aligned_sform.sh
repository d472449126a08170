#!/usr/bin/env bash
# A registered NIfTI scan stays where it was for ITK, and moves for nibabel.
#
# Expected: where the sform (code 2, aligned) differs from the qform (code 1, scanner), both readers take the same one,
#           whichever it is.
# Happens:  nibabel takes the sform. ITK takes the qform for sform codes 2, 3 and 4, and the sform only if its code is 1
#           or the qform's is 0. No warning.
# Version:  nibabel 5.4.2, SimpleITK 2.5.7.
# Matters:  registration tools write just such files. The overlay that fits in one program is displaced in the other by
#           the whole registration.
# Instead:  compare the two forms before reading; to hand on the registered place, set the qform to it, or its code to
#           0.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment nibabel==5.4.2 SimpleITK==2.5.7 numpy==2.4.6
observe <<'PYTHON'
import nibabel
import numpy as np
import SimpleITK as sitk
from finding import report

scanner, aligned = np.eye(4), np.eye(4)
aligned[2, 3] = 30  # registration has moved the scan by 30 mm along z, the axis that both worlds share


def heights(sform_code, qform_code):
    image = nibabel.Nifti1Image(np.zeros((8, 8, 8), np.int16), aligned)
    image.set_sform(aligned, sform_code)
    image.set_qform(scanner, qform_code)
    nibabel.save(image, "scan.nii")
    return float(nibabel.load("scan.nii").affine[2, 3]), sitk.ReadImage("scan.nii").GetOrigin()[2]


seen = {codes: heights(*codes) for codes in ((1, 1), (2, 1), (3, 1), (4, 1), (2, 0))}
report(
    "nibabel SimpleITK",
    "the first voxel at one height for both readers: 30 mm (sform) or 0 mm (qform)",
    "; ".join(f"sform {s}, qform {q}: nibabel {n:g}, ITK {i:g}" for (s, q), (n, i) in seen.items()),
    seen == {(1, 1): (30, 30), (2, 1): (30, 0), (3, 1): (30, 0), (4, 1): (30, 0), (2, 0): (30, 30)},
)
PYTHON
