#!/usr/bin/env bash
# SimpleITK's series reader straightens a CT that was taken with a tilted gantry.
#
# Expected: each slice where its Image Position (Patient) says; or an error, as the slices are sheared against each
#           other.
# Happens:  the slices are stacked along their normal instead of along the table, at the slant distance. The first slice
#           is right, each further one a little less. No warning. With ForceOrthogonalDirectionOff() all are where they
#           belong.
# Version:  SimpleITK 2.5.7.
# Matters:  a head CT at 15 degrees ends centimetres from where it was; targets, doses and registrations go with it.
# Instead:  call ForceOrthogonalDirectionOff() and see whether the direction is orthogonal, or compare where the volume
#           puts its last slice with that file's position.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
observe <<'PYTHON'
import math

import numpy as np
import SimpleITK as sitk
from finding import report
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

tilt = math.radians(15)
study, series, frame = generate_uid(), generate_uid(), generate_uid()
positions = [[0, 0, 5 * n] for n in range(30)]
for n, position in enumerate(positions):
    slice_ = Dataset()
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, generate_uid()
    slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = study, series, frame
    slice_.Modality, slice_.InstanceNumber = "CT", n + 1
    slice_.ImagePositionPatient = position
    slice_.ImageOrientationPatient = [1, 0, 0, 0, round(math.cos(tilt), 6), round(math.sin(tilt), 6)]
    slice_.GantryDetectorTilt, slice_.SliceThickness, slice_.PixelSpacing = 15, 5, [1, 1]
    slice_.Rows = slice_.Columns = 32
    slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 16, 15, 1
    slice_.RescaleSlope, slice_.RescaleIntercept = 1, 0
    slice_.PixelData = np.zeros((32, 32), np.int16).tobytes()
    slice_.save_as(f"{n:03}.dcm", enforce_file_format=True)


def error(keep_the_tilt):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames("."))
    if keep_the_tilt:
        reader.ForceOrthogonalDirectionOff()
    last = reader.Execute().TransformIndexToPhysicalPoint((0, 0, len(positions) - 1))
    return round(math.dist(last, positions[-1]), 2)


report(
    "SimpleITK pydicom",
    "the last of 30 slices, 5 mm apart, 0 mm from its Image Position (Patient)",
    f"{error(False)} mm off by default, {error(True)} mm with ForceOrthogonalDirectionOff()",
    37 < error(False) < 39 and error(True) < 0.01,
)
PYTHON
