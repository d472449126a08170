"""Small DICOM files, written attribute by attribute."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

AXIAL = (1, 0, 0, 0, 1, 0)
SOP_CLASSES = {
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "Enhanced MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "Enhanced CT": "1.2.840.10008.5.1.4.1.1.2.1",
}


def item(**values):
    """Return a data set of these attributes, as an item of a sequence."""
    data = pydicom.Dataset()
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def _write(path, pixels, kind, values):
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength, meta.TransferSyntaxUID = 0, ExplicitVRLittleEndian
    data = FileDataset(None, {}, preamble=bytes(128), file_meta=meta, is_implicit_VR=False, is_little_endian=True)
    data.SOPClassUID, data.SOPInstanceUID = SOP_CLASSES.get(kind, kind), generate_uid()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    data.Modality, data.SeriesInstanceUID, data.SeriesNumber = (
        kind.split()[-1] if kind in SOP_CLASSES else "OT",
        "1.2.3",
        4,
    )
    data.PatientName, data.PatientID, data.StudyInstanceUID = "Made^Up", "1", "1.2"
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OW"
    for keyword, value in values.items():
        if value is None:
            if keyword in data:
                delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path)
    return path


def _ramp(number, dtype=np.int16):
    """Return the pixels of image ``number``: 6 rows of 5, all different, all images different."""
    return (np.arange(30).reshape(6, 5) + 40 * number).astype(dtype)


@pytest.fixture(scope="session")
def write_image():
    """``write_image(path, number, position, kind="MR", pixels=None, **attributes)``: one classic image.

    Its pixels are those of ``ramp(number)``, of 0.5 mm along a column and 0.75 along a row. None removes an attribute.
    """

    def write(path, number, position, kind="MR", pixels=None, **attributes):
        pixels = _ramp(number) if pixels is None else pixels
        given = {"ImagePositionPatient": list(position), "ImageOrientationPatient": list(AXIAL), "SliceThickness": 2.5}
        given.update(PixelSpacing=[0.5, 0.75], InstanceNumber=number + 1, SeriesDescription="made up")
        return _write(path, pixels, kind, {**given, **attributes})

    return write


@pytest.fixture(scope="session")
def write_axial(write_image):
    """``write_axial(folder, heights, kind="MR", each=None, **attributes)``: images at these z, in mm.

    ``each(number)`` gives more attributes of one image; ``name`` among them is the file's.
    """

    def write(folder, heights, kind="MR", each=None, **attributes):
        for number, height in enumerate(heights):
            own = dict(each(number)) if each else {}
            name = own.pop("name", f"{number:03d}.dcm")
            given = {"position": (-10, -20, float(height)), **attributes, **own}
            write_image(folder / name, number, kind=kind, **given)
        return folder

    return write


@pytest.fixture(scope="session")
def write_enhanced():
    """``write_enhanced(path, heights, kind="Enhanced MR", each=None, orientation=AXIAL, **attributes)``.

    One file with a frame of ``ramp(number)`` at each z, in mm, in this order; ``each(number)`` gives more functional
    groups of one frame, as sequences by keyword.
    """

    def write(path, heights, kind="Enhanced MR", each=None, orientation=AXIAL, **attributes):
        groups = []
        for number, height in enumerate(heights):
            own = {"PlanePositionSequence": [item(ImagePositionPatient=[-10, -20, float(height)])]}
            groups.append(item(**{**own, **(each(number) if each else {})}))
        shared = item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=2.5)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=list(orientation))],
        )
        given = {"NumberOfFrames": len(groups), "SharedFunctionalGroupsSequence": [shared]}
        given["PerFrameFunctionalGroupsSequence"] = groups
        return _write(path, np.stack([_ramp(number) for number in range(len(groups))]), kind, {**given, **attributes})

    return write


@pytest.fixture(scope="session")
def ramp():
    """``ramp(number, dtype)``: the pixels of image ``number``."""
    return _ramp
