"""The scan that the evaluation's tests degrade."""

import pytest

from SuperResolutionLib.files.writing import write_volume


@pytest.fixture
def scan(tmp_path, make_phantom):
    """A scan's file: four slices of 66 x 80 voxels, int16."""
    path = tmp_path / "scan.nrrd"
    write_volume(make_phantom((4, 80, 66)), path)
    return path
