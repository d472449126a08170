"""What a BIDS sidecar says of a NIfTI file's acquired matrix, and that no sidecar does harm."""

import json

import numpy as np
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.whole_outputs import check_apart
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume

# Slices of 48 columns and 64 rows, 5 of them.
VOXELS = np.arange(5 * 64 * 48).reshape(5, 64, 48).astype(np.int16)
NOTHING = ((None, None, None), None)


@pytest.fixture
def read(tmp_path):
    """``read(sidecar, matrix=None, name="t1.nii.gz")``: the volume of a file beside which lies this, or this text."""

    def make(sidecar, voxels=VOXELS, matrix=None, name="t1.nii.gz"):
        write_volume(Volume(voxels, np.diag([0.5, 0.5, 3, 1]) if matrix is None else matrix), tmp_path / name)
        text = sidecar if isinstance(sidecar, (str, bytes)) else json.dumps(sidecar)
        (tmp_path / "t1.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_volume(tmp_path / name)

    return make


@pytest.mark.parametrize("name", ["t1.nii.gz", "t1.nii"])
@pytest.mark.parametrize(
    "phase, lines, stored, base, shares",
    [
        ("j-", 32, 64, 24, (0.5, 0.5, None)),
        ("j", 48, 64, None, (None, 0.75, None)),
        ("i", 36, 48, 64, (0.75, 1, None)),
        ("i+", 96, 48, 128, (1, 1, None)),
        ("k", 3, 5, 64, (None, None, 0.6)),
    ],
    ids=str,
)
def test_lines_belong_to_the_phases_axis_and_the_base_resolution_to_the_other(
    read, name, phase, lines, stored, base, shares
):
    stated = {"AcquisitionMatrixPE": lines, "ReconMatrixPE": stored, "PhaseEncodingDirection": phase}
    volume = read({**stated, **({"BaseResolution": base} if base else {})}, name=name)
    assert (volume.acquired_shares, volume.acquired_from) == (shares, "t1.json")


def test_what_is_in_the_lines_already_or_no_matter_of_theirs_is_left_out(read):
    volume = read(
        {
            "Modality": "MR",
            "AcquisitionMatrixPE": 36,
            "ReconMatrixPE": 48,
            "PhaseEncodingAxis": "i",
            "PartialFourier": 0.078,
            "PercentSampling": 78.5398,
            "PercentPhaseFOV": 75,
            "PhaseEncodingSteps": 320,
            "ParallelReductionFactorInPlane": 2,
        }
    )
    assert volume.acquired_shares == (0.75, None, None)


@pytest.mark.parametrize("row", [(0, 1, 0), (0, -1, 0)], ids=["forwards", "backwards"])
def test_a_scan_that_was_turned_when_it_was_converted_keeps_its_rows_and_columns(read, row):
    """A sagittal series: slices along i now, rows along j, columns along -k, as dcm2niix turns 3-D scans."""
    stated = {
        "MRAcquisitionType": "3D",
        "AcquisitionMatrixPE": 32,
        "ReconMatrixPE": 64,
        "BaseResolution": 128,
        "InPlanePhaseEncodingDirectionDICOM": "ROW",
        "ImageOrientationPatientDICOM": [*row, 0, 0, -1],
    }
    turned = np.zeros((256, 64, 10), np.int16)
    turned[0, 0, 0] = 1
    assert read(stated, turned, np.diag([1.2, 1, 1, 1])).acquired_shares == (None, 0.5, 0.5)
    del stated["ImageOrientationPatientDICOM"]
    assert read(stated, turned, np.diag([1.2, 1, 1, 1])).acquired_shares == (None, None, None)


def test_slices_of_2d_scans_lie_along_k_where_only_their_rows_and_columns_are_named(read):
    stated = {"MRAcquisitionType": "2D", "AcquisitionMatrixPE": 32, "ReconMatrixPE": 64, "BaseResolution": 24}
    assert read({**stated, "InPlanePhaseEncodingDirectionDICOM": "COL"}).acquired_shares == (0.5, 0.5, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"ReconMatrixPE": 128},
        {"Modality": "CT"},
        {"PhaseEncodingDirection": "y-"},
        {"PhaseEncodingDirection": ["j"]},
        {"PhaseEncodingDirection": None},
        {"ReconMatrixPE": "64"},
        {"ReconMatrixPE": 0},
        {"AcquisitionMatrixPE": 0},
        {"AcquisitionMatrixPE": -32},
        {"AcquisitionMatrixPE": 32.5},
        {"AcquisitionMatrixPE": True},
        {"AcquisitionMatrixPE": float("nan")},
        {"AcquisitionMatrixPE": 10**400},
        {"InPlanePhaseEncodingDirectionDICOM": "ROW", "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0]},
    ],
    ids=str,
)
def test_a_sidecar_of_another_grid_or_of_no_sense_says_nothing(read, changes):
    stated = {"AcquisitionMatrixPE": 32, "ReconMatrixPE": 64, "PhaseEncodingDirection": "j"}
    volume = read({**stated, **changes})
    assert (volume.acquired_shares, volume.acquired_from, volume.notes) == (*NOTHING, ())


@pytest.mark.parametrize("content", ["[1, 2]", "7", '"text"', "null", "{}", '{"schema_version": 1}', " " * 5_000_000])
def test_a_json_that_is_no_sidecar_is_passed_over(read, content):
    volume = read(content)
    assert (volume.acquired_shares, volume.acquired_from, volume.notes) == (*NOTHING, ())


@pytest.mark.parametrize("content", ["", "{", b"\xff\xfe\x00", "[" * 100_000], ids=["empty", "cut", "bytes", "deep"])
def test_a_sidecar_that_cannot_be_read_is_noted_and_does_no_harm(read, content):
    volume = read(content)
    assert (volume.acquired_shares, volume.acquired_from) == NOTHING
    assert volume.notes == (
        "t1.json, beside the image, cannot be read as JSON, so what it says of the scan is not known.",
    )


def test_a_sidecar_is_no_output_but_a_report_of_an_earlier_run_is_replaced(tmp_path, read):
    read({"EchoTime": 0.01})
    with pytest.raises(InputError, match="is the input, or a part of it"):
        check_apart(tmp_path / "t1.nii.gz", [tmp_path / "fine.nii.gz", tmp_path / "t1.json"])
    (tmp_path / "t1.json").write_text(json.dumps({"schema_version": 1}))
    check_apart(tmp_path / "t1.nii.gz", [tmp_path / "fine.nii.gz", tmp_path / "t1.json"])
    check_apart(tmp_path / "other.nii.gz", [tmp_path / "fine.nii.gz", tmp_path / "t1.json"])
