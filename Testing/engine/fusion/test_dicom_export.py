"""A fused volume as a series derived from all the series that it was made of."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.export import export_dicom
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.fusion.fuse import fuse
from SuperResolutionLib.fusion.request import FuseRequest

NUMBERS = (4, 5, 3)
FRAME, STUDY = "1.2.3.400", "1.2.3.500"


@pytest.fixture(scope="module")
def series(truth, stack, movement, write_stack, tmp_path_factory):
    """The folders of three series of one study, the second one moved."""
    folder = tmp_path_factory.mktemp("study")
    stacks = [
        stack(truth),
        stack(truth, "coronal", movement((2, -3, 1), (1.5, -2, 1))),
        stack(truth, "sagittal").cropped((0, 0, 0), (48, 48, 6)),
    ]
    for number, made in zip(NUMBERS, stacks):
        said = {"EchoTime": 100 + number, "RepetitionTime": 5000, "SeriesDescription": f"t2 {number}"}
        write_stack(folder / str(number), made, number, StudyInstanceUID=STUDY, FrameOfReferenceUID=FRAME, **said)
    return [folder / str(number) for number in NUMBERS]


@pytest.fixture(scope="module")
def result(series):
    return fuse([read_volume(folder) for folder in series], FuseRequest(sharpen=False))


@pytest.fixture(scope="module")
def images(series, result, tmp_path_factory):
    """The images of the exported series."""
    folder = tmp_path_factory.mktemp("out") / "fused"
    first, *others = series
    export_dicom(first, result.volume, folder, result.report, others=[(other, None) for other in others])
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def uids(items):
    return {item.ReferencedSOPInstanceUID for item in items}


def images_in(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def test_the_voxels_are_read_back_in_their_places(images, result):
    folder = Path(images[0].filename).parent
    back = read_volume(folder)
    np.testing.assert_array_equal(back.voxels, result.volume.voxels)
    np.testing.assert_allclose(back.ijk_to_ras, result.volume.ijk_to_ras, atol=1e-4)


def test_no_number_is_longer_than_dicom_allows(images):
    written = [value for image in images for value in (*image.ImagePositionPatient, *image.ImageOrientationPatient)]
    assert max(len(value.original_string) for value in written) <= 16


def test_it_is_of_the_references_study_and_frame_and_says_that_it_is_derived(images):
    image = images[0]
    assert (image.StudyInstanceUID, image.FrameOfReferenceUID) == (STUDY, FRAME)
    assert list(image.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert image.SeriesDescription == "t2 4 fused 1 mm not for diagnosis" and image.SeriesNumber == 1004
    assert "fusion of 3 series, 1 mm" in image.DerivationDescription
    assert "not for diagnosis" in image.DerivationDescription and "not for diagnosis" in image.ImageComments
    assert float(image.SliceThickness) == 1 == float(image.SpacingBetweenSlices)
    assert len(image.ContributingEquipmentSequence) == 1


def test_all_its_series_are_named_with_all_their_images(images, series):
    assert "StudiesContainingOtherReferencedInstancesSequence" not in images[0]
    named = images[0].ReferencedSeriesSequence
    assert [item.SeriesInstanceUID.rpartition(".")[2] for item in named] == ["4", "5", "3"]
    for item, folder in zip(named, series):
        assert uids(item.ReferencedInstanceSequence) == {image.SOPInstanceUID for image in images_in(folder)}


def test_each_image_names_the_images_of_all_series_that_it_lies_in(images, series):
    own, moved, half = ({image.SOPInstanceUID for image in images_in(folder)} for folder in series)
    thick = sorted(images_in(series[0]), key=lambda image: float(image.ImagePositionPatient[2]))
    height = float(images[20].ImagePositionPatient[2])
    nearest = min(thick, key=lambda image: abs(float(image.ImagePositionPatient[2]) - height))
    named = uids(images[20].SourceImageSequence)
    assert named & own == {nearest.SOPInstanceUID}
    assert half < named and len(named & moved) > 8
    kept = {item.ReferencedSOPInstanceUID: item.SpatialLocationsPreserved for item in images[20].SourceImageSequence}
    assert {kept[uid] for uid in named & own} == {"YES"} and {kept[uid] for uid in named & moved} == {"NO"}


def test_what_the_series_differ_in_is_left_out(images):
    assert images[0].EchoTime is None and float(images[0].RepetitionTime) == 5000


def test_series_of_another_study_are_named_as_such(series, result, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(series[1], other)
    for path in other.iterdir():
        image = pydicom.dcmread(path)
        image.StudyInstanceUID = "1.2.3.501"
        image.save_as(path)
    export_dicom(series[0], result.volume, tmp_path / "out", result.report, others=[(other, None), (series[2], None)])
    image = images_in(tmp_path / "out")[0]
    (study,) = image.StudiesContainingOtherReferencedInstancesSequence
    assert study.StudyInstanceUID == "1.2.3.501" and len(study.ReferencedSeriesSequence) == 1
    assert len(image.ReferencedSeriesSequence) == 2


def test_other_series_than_those_that_were_fused_are_refused(series, result, tmp_path):
    first, second, third = ((folder, None) for folder in series)
    for chosen in ([first], [first, second], [third, first, second]):
        with pytest.raises(InputError, match="fusion of 3 other scans; give the series that .* in the same order"):
            export_dicom(*chosen[0][:1], result.volume, tmp_path / "out", result.report, others=chosen[1:])
    with pytest.raises(InputError, match="sticks out of the source series by"):
        export_dicom(series[2], result.volume, tmp_path / "out")
    stranger = tmp_path / "stranger"
    shutil.copytree(series[2], stranger)
    for path in stranger.iterdir():
        image = pydicom.dcmread(path)
        image.PatientID = "another"
        image.save_as(path)
    with pytest.raises(InputError, match="differ in PatientID"):
        export_dicom(series[0], result.volume, tmp_path / "out", others=[second, (stranger, None)])
    assert not (tmp_path / "out").exists()


def test_dciodvfy_finds_no_error(images):
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy, of Debian's dicom3tools, is not on the PATH")
    for image in images[::20]:
        end = subprocess.run([program, str(image.filename)], capture_output=True, text=True)
        assert "MRImage" in end.stdout + end.stderr
        assert "Error" not in end.stdout + end.stderr
