"""What the headers of MR images say of the matrix that was acquired, and what in them says nothing of it."""

import numpy as np
import pydicom
import pytest

from SuperResolutionLib.acquisition.survey import survey
from SuperResolutionLib.files.reading import read_volume

# Images of 64 rows of 48, so that the axes cannot be taken for one another.
PIXELS = (np.arange(64 * 48).reshape(64, 48) % 251).astype(np.int16)


def item(**values):
    """Return a data set of these attributes, as an item of a sequence."""
    data = pydicom.Dataset()
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


@pytest.fixture
def read(tmp_path, write_axial):
    """``read(kind="MR", each=None, **attributes)``: the volume of three images of 64 x 48 pixels with these headers."""

    def make(kind="MR", each=None, **attributes):
        return read_volume(write_axial(tmp_path / "series", (0, 3, 6), kind, each, pixels=PIXELS, **attributes))

    return make


@pytest.mark.parametrize(
    "matrix, direction, along_i, along_j",
    [
        ([0, 32, 30, 0], "ROW", 30 / 48, 32 / 64),
        ([32, 0, 0, 30], "COL", 32 / 48, 30 / 64),
        ([0, 32, 0, 30], "ROW", 30 / 48, 32 / 64),
        ([0, 32, 0, 30], "COL", 32 / 48, 30 / 64),
        ([64, 0, 0, 48], "COLUMN", 1, 48 / 64),
        ([0, 128, 96, 0], "ROW", 1, 1),
    ],
    ids=["ROW", "COL", "UIH, ROW", "UIH, COL", "COLUMN", "more than stored"],
)
def test_the_direction_not_the_slot_says_whose_axis_the_lines_are(read, matrix, direction, along_i, along_j):
    volume = read(AcquisitionMatrix=matrix, InPlanePhaseEncodingDirection=direction)
    assert volume.acquired_shares == (along_i, along_j, None)
    assert volume.acquired_from == "the DICOM header"


def test_percentages_and_oversampling_are_not_counted_in_once_more(read):
    volume = read(
        AcquisitionMatrix=[0, 64, 36, 0],
        InPlanePhaseEncodingDirection="ROW",
        PercentSampling=78.5398,
        PercentPhaseFieldOfView=75,
        NumberOfPhaseEncodingSteps=320,
        PartialFourier="YES",
        EchoTrainLength=5,
    )
    assert volume.acquired_shares == (36 / 48, 1, None)


def test_a_derived_map_has_the_matrix_of_its_images(read):
    kept = read(
        AcquisitionMatrix=[32, 0, 0, 32],
        InPlanePhaseEncodingDirection="COL",
        ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"],
    )
    assert kept.acquired_shares == (32 / 48, 32 / 64, None)


@pytest.mark.parametrize(
    "kind, attributes",
    [
        ("MR", {"InPlanePhaseEncodingDirection": "ROW"}),
        ("MR", {"AcquisitionMatrix": [0, 32, 30, 0]}),
        ("MR", {"AcquisitionMatrix": [0, 32, 30, 0], "InPlanePhaseEncodingDirection": "OTHER"}),
        ("MR", {"AcquisitionMatrix": [0, 0, 0, 0], "InPlanePhaseEncodingDirection": "ROW"}),
        ("MR", {"AcquisitionMatrix": [32, 30], "InPlanePhaseEncodingDirection": "ROW"}),
        ("MR", {"AcquisitionMatrix": 32, "InPlanePhaseEncodingDirection": "ROW"}),
        ("CT", {"AcquisitionMatrix": [0, 32, 30, 0], "InPlanePhaseEncodingDirection": "ROW"}),
        (
            "MR",
            {
                "AcquisitionMatrix": [0, 32, 30, 0],
                "InPlanePhaseEncodingDirection": "ROW",
                "ImageType": ["DERIVED", "SECONDARY", "MPR", "CSA MPR"],
            },
        ),
    ],
    ids=["no matrix", "no direction", "radial", "zeros", "two numbers", "one number", "CT", "reformatted"],
)
def test_a_header_that_does_not_tell_says_nothing(read, kind, attributes):
    volume = read(kind, **attributes)
    assert (volume.acquired_shares, volume.acquired_from) == ((None, None, None), None)


def test_images_that_do_not_agree_say_nothing(read):
    volume = read(
        each=lambda number: {"AcquisitionMatrix": [0, 32, 30 + number, 0]}, InPlanePhaseEncodingDirection="ROW"
    )
    assert volume.acquired_shares == (None, None, None)


def test_what_is_the_same_whichever_axis_is_which_needs_no_direction(tmp_path, write_axial):
    folder = write_axial(tmp_path, (0, 3, 6), pixels=PIXELS[:48], AcquisitionMatrix=[0, 24, 24, 0])
    assert read_volume(folder).acquired_shares == (0.5, 0.5, None)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "a group for each frame"])
@pytest.mark.parametrize(
    "maker, along_k", [("Philips", 2 / 4), ("SIEMENS", 2 / 4), ("Canon", None)], ids=lambda value: str(value)
)
def test_enhanced_files_state_steps_of_both_directions_and_of_the_slices(
    tmp_path, write_enhanced, maker, along_k, shared
):
    geometry = item(
        InPlanePhaseEncodingDirection="COLUMN",
        MRAcquisitionFrequencyEncodingSteps=4,
        MRAcquisitionPhaseEncodingStepsInPlane=3,
        MRAcquisitionPhaseEncodingStepsOutOfPlane=2,
        PercentSampling=78.5398,
    )
    each = None if shared else lambda number: {"MRFOVGeometrySequence": [geometry]}
    path = write_enhanced(tmp_path / "e.dcm", (0, 2, 4, 6), each=each, Manufacturer=maker)
    if shared:
        data = pydicom.dcmread(path)
        data.SharedFunctionalGroupsSequence[0].MRFOVGeometrySequence = [geometry]
        data.save_as(path)
    volume = read_volume(path)
    assert volume.dimensions == (5, 6, 4)
    assert volume.acquired_shares == (4 / 5, 3 / 6, along_k)


def test_classic_files_may_state_the_steps_of_enhanced_ones(read):
    volume = read(
        InPlanePhaseEncodingDirection="ROW",
        MRAcquisitionFrequencyEncodingSteps=64,
        MRAcquisitionPhaseEncodingStepsInPlane=30,
    )
    assert volume.acquired_shares == (30 / 48, 1, None)


def test_the_survey_takes_the_headers_exact_number_of_samples(read):
    seen = survey(read(AcquisitionMatrix=[0, 41, 30, 0], InPlanePhaseEncodingDirection="ROW"))
    assert seen.band.dimensions == (30, 41, 3)
    assert seen.band.acquired_from == "the DICOM header"
    assert seen.acquired_volume.dimensions == (30, 41, 3)
    np.testing.assert_allclose(seen.acquired_volume.ras_bounds(), seen.volume.ras_bounds(), atol=1e-6)
