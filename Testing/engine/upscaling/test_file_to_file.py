"""From a file to a file: what is to be written must have been asked for."""

import pytest

from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.upscaling.file_to_file import upscale_file
from SuperResolutionLib.upscaling.request import UpscaleRequest


def test_an_expected_error_that_the_request_did_not_ask_for_is_refused_and_nothing_is_written(phantom, tmp_path):
    write_volume(phantom, tmp_path / "scan.nrrd")
    request = UpscaleRequest(factor=2, quality="fast", device="cpu", box=((0, 0, 0), (8, 8, 1)))
    with pytest.raises(ValueError, match="did not ask for the expected error"):
        upscale_file(tmp_path / "scan.nrrd", tmp_path / "fine.nrrd", request, error=tmp_path / "error.nrrd")
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nrrd"]
