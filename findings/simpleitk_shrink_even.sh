#!/usr/bin/env bash
# sitk.Shrink by an even factor hands out values that belong half a voxel away.
#
# Expected: each value of the small image is the large image's at the place the small image's header gives for it.
# Happens:  Shrink picks one voxel of every block. A block of 2 or 4 has no voxel in its middle, so it takes the one
#           after; the origin is set to the middle all the same. BinShrink averages the block and is right; odd factors
#           are.
# Version:  SimpleITK 2.5.7.
# Matters:  a pair of coarse and fine images for training or registration is off by half a fine voxel along every axis.
# Instead:  sitk.BinShrink, or resample onto a grid of your own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import SimpleITK as sitk
from finding import report

line = sitk.GetImageFromArray(np.broadcast_to(np.arange(24, dtype=np.float32), (24, 24, 24)).copy())


def offset(shrink, factor):
    """How far from its place each value lies, in fine voxels: the image holds its own x coordinate."""
    small = shrink(line, [factor] * 3)
    values = sitk.GetArrayFromImage(small)[0, 0]
    places = [small.TransformIndexToPhysicalPoint((i, 0, 0))[0] for i in range(len(values))]
    offsets = set(np.round(values - places, 5).tolist())
    return offsets.pop() if len(offsets) == 1 else float("nan")  # the same everywhere, or not stated here


seen = {f"{name} by {k}": offset(getattr(sitk, name), k) for name in ("Shrink", "BinShrink") for k in (2, 3, 4)}
report(
    "SimpleITK",
    "a ramp of x, shrunk, still holds x",
    "off by " + ", ".join(f"{offset:g} ({name})" for name, offset in seen.items()) + " fine voxels",
    list(seen.values()) == [0.5, 0, 0.5, 0, 0, 0],
)
PYTHON
