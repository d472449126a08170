#!/usr/bin/env bash
# ITK stacks the frames of an Enhanced MR file as they are stored, wherever they were taken.
#
# Expected: frames stored interleaved are sorted by their positions, as the slices of a classic series are; or an error.
# Happens:  they stay in stored order, and as their distances are then uneven the spacing becomes 1.0, without a
#           warning. Two echoes of four positions become eight slices, evenly spaced.
# Version:  SimpleITK 2.5.7 (ITK 5.4).
# Matters:  the volume looks plausible slice by slice, and is shuffled, squeezed, or twice as long as the patient.
# Instead:  read the frames' positions with pydicom (PerFrameFunctionalGroupsSequence, PlanePositionSequence) and sort,
#           or use highdicom, which sorts or refuses. A spacing of exactly 1.0 beside another Slice Thickness is the
#           sign.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
observe <<'PYTHON'
import numpy as np
import SimpleITK as sitk
from finding import report
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid


def item(**elements):
    data = Dataset()
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def read(frames):
    """Write (height, echo) frames into one file and read it: size along z, spacing along z, the heights as ordered."""
    organization = generate_uid()
    file = item(
        SOPClassUID=EnhancedMRImageStorage, SOPInstanceUID=generate_uid(), StudyInstanceUID=generate_uid(),
        SeriesInstanceUID=generate_uid(), FrameOfReferenceUID=generate_uid(), Modality="MR", InstanceNumber=1,
        ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"], Rows=8, Columns=8, NumberOfFrames=len(frames),
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15,
        PixelRepresentation=0, PixelData=np.stack([np.full((8, 8), z, np.uint16) for z, _ in frames]).tobytes(),
    )  # fmt: skip
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.DimensionOrganizationSequence = [item(DimensionOrganizationUID=organization)]
    file.DimensionIndexSequence = [
        item(DimensionIndexPointer=tag, FunctionalGroupPointer=group, DimensionOrganizationUID=organization)
        for tag, group in ((0x00209057, 0x00209111), (0x00189082, 0x00189114))  # position in the stack, echo time
    ]
    file.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=3)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=0, RescaleType="US")],
        )
    ]
    file.PerFrameFunctionalGroupsSequence = [
        item(
            FrameContentSequence=[
                item(StackID="1", InStackPositionNumber=z // 3 + 1, DimensionIndexValues=[z // 3 + 1, echo])
            ],
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            MREchoSequence=[item(EffectiveEchoTime=10.0 * echo)],
        )
        for z, echo in frames
    ]
    file.save_as("scan.dcm", enforce_file_format=True)
    scan = sitk.ReadImage("scan.dcm")
    return scan.GetSize()[2], scan.GetSpacing()[2], sitk.GetArrayFromImage(scan)[:, 0, 0].tolist()


plain = read([(z, 1) for z in (0, 3, 6, 9)])
interleaved = read([(z, 1) for z in (0, 6, 3, 9)])
echoes = read([(z, echo) for echo in (1, 2) for z in (0, 3, 6, 9)])
report(
    "SimpleITK pydicom",
    "slices, spacing and order for frames at 0, 3, 6, 9 mm: (4, 3.0, [0, 3, 6, 9]), however they are stored",
    f"in order {plain}; interleaved {interleaved}; two echoes {echoes}",
    plain == (4, 3, [0, 3, 6, 9])
    and interleaved == (4, 1, [0, 6, 3, 9])
    and echoes == (8, 3, [0, 3, 6, 9, 0, 3, 6, 9]),
)
PYTHON
