#!/usr/bin/env bash
# SimpleITK resamples integer images by cutting the fraction off, so they grow darker by half a grey level.
#
# Expected: values between voxels are rounded to the nearest integer, as SciPy does, so that the mean stays.
# Happens:  they are cut towards zero. The mean of positive values falls by 0.5, of negative ones rises by 0.5; a
#           constant 1000 comes out as 998 under a windowed sinc, whose weights add up to a little less than 1.
# Version:  SimpleITK 2.5.7, SciPy 1.17.1.
# Matters:  half a unit is a lot on a map with few levels, and the bias adds up over repeated resampling.
# Instead:  cast to float32, resample, round yourself, cast back.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 scipy==1.17.1 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import scipy.ndimage
import SimpleITK as sitk
from finding import report

scan = np.random.default_rng(0).integers(1, 1000, (8, 64, 64)).astype(np.int16)
inner = (slice(None), slice(4, -4), slice(4, -4))


def moved(array, interpolator=sitk.sitkLinear):
    image = sitk.GetImageFromArray(array)
    shift = sitk.TranslationTransform(3, (0.3, 0.3, 0.0))
    return sitk.GetArrayFromImage(sitk.Resample(image, image, shift, interpolator))[inner]


def moved_by_scipy(array):
    return scipy.ndimage.shift(array, (0, -0.3, -0.3), order=1, mode="nearest")[inner]


def bias(move, array):
    return float((move(array) - move(array.astype(np.float32))).mean())


up, down, scipys = bias(moved, scan), bias(moved, -scan), bias(moved_by_scipy, scan)
flat = np.full((8, 64, 64), 1000, np.int16)
sinc = np.unique(moved(flat, sitk.sitkLanczosWindowedSinc)).tolist()
report(
    "SimpleITK scipy",
    "int16 against float32: mean difference 0; a constant 1000 stays 1000",
    f"mean difference {up:.3f} (values > 0), {down:.3f} (values < 0), SciPy {scipys:.3f}; "
    f"a constant 1000 becomes {sinc} under sitkLanczosWindowedSinc",
    -0.52 < up < -0.48 and 0.48 < down < 0.52 and abs(scipys) < 0.02 and sinc == [998],
)
PYTHON
