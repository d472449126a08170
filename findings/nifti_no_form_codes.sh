#!/usr/bin/env bash
# A NIfTI file with both form codes 0 has two mirror-image places: one in nibabel, one in ITK.
#
# Expected: two readers that agree on every other header agree on this one, or say that they do not know.
# Happens:  nibabel lets i run to the left, j to the front, and puts the middle of the volume at the origin; ITK lets i
#           run to the left, j to the back, and puts the first voxel there. Both in silence. One is left-handed, the
#           other right-handed, so the two are mirror images, and no rotation brings one onto the other.
# Version:  nibabel 5.4.2, SimpleITK 2.5.7.
# Matters:  the format attaches no orientation to such a file, and old converters and files that began as Analyze leave
#           many. Left and right are swapped when the file changes from one tool to the other.
# Instead:  look at qform_code and sform_code; if both are 0, ask whoever made the file, and write one of them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment nibabel==5.4.2 SimpleITK==2.5.7 numpy==2.4.6
observe <<'PYTHON'
import nibabel
import numpy as np
import SimpleITK as sitk
from finding import report

image = nibabel.Nifti1Image(np.zeros((11, 13, 15), np.int16), None)
image.header.set_zooms((1, 2, 3))
nibabel.save(nibabel.Nifti1Image(image.dataobj, None, image.header), "scan.nii")

loaded = nibabel.load("scan.nii")
codes = int(loaded.header["qform_code"]), int(loaded.header["sform_code"])
by_nibabel = loaded.affine
scan = sitk.ReadImage("scan.nii")
by_itk = np.eye(4)
by_itk[:3, :3] = np.array(scan.GetDirection()).reshape(3, 3) * scan.GetSpacing()
by_itk[:3, 3] = scan.GetOrigin()
by_itk = np.diag([-1, -1, 1, 1]) @ by_itk + 0.0  # from left-posterior to right-anterior, as in nibabel

report(
    "nibabel SimpleITK",
    f"form codes {codes}: one place for the file",
    f"to right, anterior, superior: nibabel {by_nibabel[:3].tolist()}, ITK {by_itk[:3].tolist()}",
    codes == (0, 0)
    and np.allclose(by_nibabel, [[-1, 0, 0, 5], [0, 2, 0, -12], [0, 0, 3, -21], [0, 0, 0, 1]])
    and np.allclose(by_itk, np.diag([-1, -2, 3, 1]))
    and np.linalg.det(by_nibabel) * np.linalg.det(by_itk) < 0,
)
PYTHON
