#!/usr/bin/env bash
# SimpleITK casts a number to the image's pixel type before it does arithmetic or compares.
#
# Expected: as in numpy, half of an int16 image of 100 is 50, or an error; and nothing in it is above 40000.
# Happens:  0.5 becomes the int16 0 and the product is 0 everywhere; 0.7 adds nothing; 40000 becomes -25536, so every
#           pixel is above it. Division gives floating point, but by 2 where 2.5 was asked. No warning.
# Version:  SimpleITK 2.5.7.
# Matters:  CT and MR come as int16. A scale, a window or a threshold set as a fraction blanks the scan or passes it
#           all.
# Instead:  image = sitk.Cast(image, sitk.sitkFloat32) before any arithmetic with numbers.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import SimpleITK as sitk
from finding import report

scan = sitk.GetImageFromArray(np.full((4, 4, 4), 100, np.int16))
whole = sitk.Cast(scan, sitk.sitkFloat32)


def results(image):
    images = image * 0.5, image + 0.7, image > 40000, image / 2.5
    return [round(float(sitk.GetArrayFromImage(x).mean()), 3) for x in images]


report(
    "SimpleITK",
    "100 * 0.5, 100 + 0.7, 100 > 40000, 100 / 2.5 are 50, 100.7, 0 and 40",
    f"int16 {results(scan)}; cast to float32 first {results(whole)}",
    results(scan) == [0, 100, 1, 50] and np.allclose(results(whole), [50, 100.7, 0, 40]),
)
PYTHON
