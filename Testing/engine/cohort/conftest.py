"""Folders of volumes."""

import shutil

import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from SuperResolutionLib.files.writing import write_volume


@pytest.fixture
def cohort(tmp_path, make_phantom, write_series):
    """Two subjects with a .nii.gz and a .nrrd, a DICOM folder, a damaged file, and files that are no volumes."""
    root = tmp_path / "in"
    for number, name in enumerate(("sub-1/anat/t1.nii.gz", "sub-2/T2 à.nrrd")):
        path = root / name
        path.parent.mkdir(parents=True)
        write_volume(make_phantom((2, 20 + number, 24)), path)
    (root / "sub-1" / "anat" / "broken.nrrd").write_text("not an image")
    (root / "sub-1" / "notes.txt").write_text("hello")
    (root / "sub-1" / "._t1.nii.gz").write_bytes(b"a resource fork")
    sitk.WriteImage(sitk.Image(8, 8, sitk.sitkUInt8), str(root / "figure.png"))
    write_series(root / "sub-2" / "series 7", ["0", "1"])
    return root


@pytest.fixture
def two_series(tmp_path):
    """A flat folder with the images of two DICOM series, 3 and 2 slices, and a DICOMDIR."""
    folder = tmp_path / "in" / "study"
    folder.mkdir(parents=True)
    for series, slices in ((3, 3), (4, 2)):
        for number in range(slices):
            data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
            data.SeriesInstanceUID, data.SeriesNumber, data.SeriesDescription = f"1.2.{series}", series, "t1/tra *"
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.{series}.{number}"
            data.ImagePositionPatient = [-10, -10, 2.0 * number]
            data.save_as(folder / f"{series}{number}.dcm")
    directory = get_testdata_file("DICOMDIR")
    shutil.copy(directory, folder / "DICOMDIR")
    shutil.copy(directory, folder.parent / "DICOMDIR-of-all")
    return folder
