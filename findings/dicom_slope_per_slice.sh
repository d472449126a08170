#!/usr/bin/env bash
# SimpleITK cuts a DICOM series to the pixel type of its first slice.
#
# Expected: slices with rescale slopes of their own (PET has one for each) become floating point, so that all are right.
# Happens:  the first file alone decides. Where its slope is 1 the volume is int16: later slices lose their fractions,
#           and those that leave the range of int16 wrap around. No warning.
# Version:  SimpleITK 2.5.7.
# Matters:  quantities (uptake, flow, dose) are cut to integers or turn negative, on some slices, for some patients.
# Instead:  reader.SetOutputPixelType(sitk.sitkFloat32) before Execute().
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import SimpleITK as sitk
from finding import report
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

slopes = [1, 1.2345, 0.0005, 50]
study, series, frame = generate_uid(), generate_uid(), generate_uid()
for n, slope in enumerate(slopes):
    slice_ = Dataset()
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    slice_.SOPClassUID, slice_.SOPInstanceUID = MRImageStorage, generate_uid()
    slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = study, series, frame
    slice_.Modality, slice_.InstanceNumber = "MR", n + 1
    slice_.ImagePositionPatient, slice_.ImageOrientationPatient = [0, 0, 5 * n], [1, 0, 0, 0, 1, 0]
    slice_.SliceThickness, slice_.PixelSpacing = 5, [1, 1]
    slice_.Rows = slice_.Columns = 8
    slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
    slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 16, 15, 1
    slice_.RescaleSlope, slice_.RescaleIntercept = slope, 0
    slice_.PixelData = np.full((8, 8), 1000, np.int16).tobytes()
    slice_.save_as(f"{n:03}.dcm", enforce_file_format=True)


def values(pixel_type):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames("."))
    if pixel_type is not None:
        reader.SetOutputPixelType(pixel_type)
    return sitk.GetArrayFromImage(reader.Execute())[:, 0, 0]


default, asked = values(None), values(sitk.sitkFloat32)
report(
    "SimpleITK pydicom",
    f"1000 stored in each slice, slopes {slopes}: {[1000 * slope for slope in slopes]}",
    f"{default.tolist()} ({default.dtype}); with SetOutputPixelType(sitkFloat32) {asked.tolist()}",
    default.dtype == np.int16
    and default.tolist() == [1000, 1234, 0, 50000 - 65536]
    and np.allclose(asked, [1000 * slope for slope in slopes]),
)
PYTHON
