"""Which attributes of a source image are true of an image derived from it (MR and CT Image IOD, PS3.3 A.4 and A.3).

What the source says of the patient, the study and the acquisition stays true. Whatever else a scanner writes may not
(matrix, sampling, pixel ranges, padding, private fields), so attributes are named here, not copied at large.
"""

from __future__ import annotations


def _keywords(text: str) -> tuple[str, ...]:
    return tuple(text.split())


KEPT_GROUPS = (0x0010, 0x0012)
"""The patient, and clinical trials and de-identification: kept whole."""

KEPT = _keywords("""
    SpecificCharacterSet StudyInstanceUID StudyDate StudyTime StudyID StudyDescription AccessionNumber
    IssuerOfAccessionNumberSequence ReferringPhysicianName PhysiciansOfRecord NameOfPhysiciansReadingStudy
    ProcedureCodeSequence FrameOfReferenceUID PositionReferenceIndicator Modality Laterality ImageLaterality
    BodyPartExamined AnatomicRegionSequence PatientPosition
    LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod
    WindowCenter WindowWidth WindowCenterWidthExplanation VOILUTFunction
    ContrastBolusAgent ContrastBolusAgentSequence ContrastBolusRoute ContrastBolusVolume ContrastBolusTotalDose
    ContrastBolusIngredient
""")
KEPT_OF_ACQUISITION = _keywords("ProtocolName AcquisitionDate AcquisitionTime AcquisitionNumber")
"""These and the next are true of an image of several series where all of them say the same."""
KEPT_OF_MODALITY = {
    "MR": _keywords("""
        ScanningSequence SequenceVariant ScanOptions MRAcquisitionType SequenceName AngioFlag RepetitionTime EchoTime
        EchoTrainLength InversionTime NumberOfAverages ImagingFrequency ImagedNucleus EchoNumbers
        MagneticFieldStrength FlipAngle VariableFlipAngleFlag ReceiveCoilName TransmitCoilName
    """),
    "CT": _keywords("""
        KVP ScanOptions GantryDetectorTilt RotationDirection ExposureTime XRayTubeCurrent Exposure FilterType
        ConvolutionKernel RescaleType
    """),
}

MAY_BE_EMPTY = _keywords("""
    PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber
    ReferringPhysicianName PositionReferenceIndicator PatientPosition AcquisitionNumber
""")
"""Type 2: present, and empty where the source does not say."""
MAY_BE_EMPTY_OF_MODALITY = {
    "MR": _keywords("ScanOptions MRAcquisitionType RepetitionTime EchoTime EchoTrainLength"),
    "CT": _keywords("KVP"),
}

EQUIPMENT = _keywords("""
    Manufacturer InstitutionName StationName ManufacturerModelName DeviceSerialNumber SoftwareVersions
""")
"""What tells of the scanner, which did not make the derived image but contributed to it."""
