#!/usr/bin/env bash
# sitkLabelGaussian erases labels that are one voxel thick, even on the image's own grid.
#
# Expected: the interpolator made for label maps keeps a label map as it is where nothing is to be interpolated.
# Happens:  each voxel gets the label with the most weight under a Gaussian around it. A sheet one voxel thick has less
#           than half of that weight even in its own middle, so the background wins everywhere. Two voxels thick
#           survive.
# Version:  SimpleITK 2.5.7.
# Matters:  vessels, cartilage, cortex and the rim of a segmentation on thick slices vanish when the map is made finer.
# Instead:  sitkLabelLinear, or sitkNearestNeighbor; count the voxels of each label before and after.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import SimpleITK as sitk
from finding import report


def kept(thickness, interpolator, factor):
    """The share of a sheet's volume that is left on a grid so many times finer over the same box."""
    labels = np.zeros((16, 16, 16), np.uint8)
    labels[7 : 7 + thickness] = 1
    finer = sitk.ResampleImageFilter()
    finer.SetSize([16 * factor] * 3)
    finer.SetOutputSpacing([1 / factor] * 3)
    finer.SetOutputOrigin([(1 / factor - 1) / 2] * 3)
    finer.SetInterpolator(interpolator)
    result = sitk.GetArrayFromImage(finer.Execute(sitk.GetImageFromArray(labels)))
    return round(int(result.sum()) / factor**3 / int(labels.sum()), 2)


same, finer = kept(1, sitk.sitkLabelGaussian, 1), kept(1, sitk.sitkLabelGaussian, 4)
thicker, linear = kept(2, sitk.sitkLabelGaussian, 1), kept(1, sitk.sitkLabelLinear, 4)
report(
    "SimpleITK",
    "a sheet one voxel thick keeps its volume: 1.0 on the same grid, about 1.0 on one four times finer",
    f"{same} on the same grid, {finer} on the finer; two voxels thick {thicker}; sitkLabelLinear {linear}",
    (same, finer, thicker, linear) == (0, 0, 1, 1),
)
PYTHON
