#!/usr/bin/env bash
# The compression level that one gives SimpleITK for a .nii.gz file changes nothing.
#
# Expected: level 1 is quick and packs loosely, level 9 is slow and packs tightly, as for NRRD and MetaImage.
# Happens:  all levels give files of one size, about that of level 6 elsewhere. Nothing is said.
# Version:  SimpleITK 2.5.7.
# Matters:  whoever asks for level 1, since packing takes longer than what is packed took to make, waits all the same.
# Instead:  write .nii and pack it with gzip, or write .nrrd.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import SimpleITK as sitk
from pathlib import Path
from finding import report

voxels = np.random.default_rng(0).normal(100, 10, (16, 64, 64)).astype(np.int16)
voxels[:, :32] = 0
image = sitk.GetImageFromArray(voxels)


def sizes(suffix):
    """Of the same image at levels 1, 6 and 9, in bytes."""
    name = "image" + suffix
    found = []
    for level in (1, 6, 9):
        sitk.WriteImage(image, name, useCompression=True, compressionLevel=level)
        found.append(Path(name).stat().st_size)
    return found


seen = {suffix: sizes(suffix) for suffix in (".nii.gz", ".nrrd", ".mha")}
report(
    "SimpleITK",
    "levels 1, 6 and 9 give files of different sizes",
    "; ".join(f"{suffix} {found} bytes" for suffix, found in seen.items()),
    len(set(seen[".nii.gz"])) == 1 and all(found[0] > found[2] for found in (seen[".nrrd"], seen[".mha"])),
)
PYTHON
