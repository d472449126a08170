#!/usr/bin/env bash
# Slicer makes a volume of an int8 array and then cannot save it.
#
# Expected: what addVolumeFromArray takes can be written, as uint8 and int16 can.
# Happens:  numpy's int8 becomes VTK's "signed char", which the image writer does not know (it knows "char"): WriteData
#           returns 0 and there is no file, neither .nrrd nor .nii.gz.
# Version:  slicer-core 5.13.31053.0 (Slicer's own MRML without its window).
# Matters:  label maps and masks often are int8. The volume shows as it should, and is lost when the scene is saved.
# Instead:  array.astype(np.int16), or np.uint8, before it becomes a volume.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment slicer-core==5.13.31053.0 numpy==2.4.6
observe <<'PYTHON'
import os

import numpy as np
import slicer
import slicer.util
import vtk
from finding import report

vtk.vtkObject.GlobalWarningDisplayOff()  # the writer does complain, on the console
slicer.mrmlScene = slicer.vtkMRMLScene()


def saved(kind):
    volume = slicer.util.addVolumeFromArray(np.ones((8, 8, 8), kind))
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    slicer.mrmlScene.AddNode(storage)
    written = []
    for ending in ("nrrd", "nii.gz"):
        storage.SetFileName(os.path.abspath(f"{np.dtype(kind).name}.{ending}"))
        written.append(bool(storage.WriteData(volume)) and os.path.exists(storage.GetFileName()))
    return volume.GetImageData().GetScalarTypeAsString(), *written


seen = {np.dtype(kind).name: saved(kind) for kind in (np.uint8, np.int16, np.int8)}
report(
    "slicer-core",
    "all three saved as .nrrd and as .nii.gz",
    "; ".join(f"{kind} is {scalar}, saved {nrrd}, {nifti}" for kind, (scalar, nrrd, nifti) in seen.items()),
    seen
    == {"uint8": ("unsigned char", True, True), "int16": ("short", True, True), "int8": ("signed char", False, False)},
)
PYTHON
