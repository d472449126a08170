"""What decides whether a result is of the same run."""

import SimpleITK as sitk

from SuperResolutionLib.cohort.task import fingerprint
from SuperResolutionLib.files.writing import image_from_volume
from SuperResolutionLib.upscaling.plan import UpscaleRequest

TWICE = UpscaleRequest(factor=2, quality="fast", device="cpu")


def test_the_voxels_beside_a_header_count_as_input(tmp_path, phantom):
    sitk.WriteImage(image_from_volume(phantom), str(tmp_path / "a.mhd"))
    before = fingerprint(tmp_path / "a.mhd", TWICE)
    raw = tmp_path / "a.raw" if (tmp_path / "a.raw").exists() else tmp_path / "a.zraw"
    raw.write_bytes(raw.read_bytes()[:-1] + b"\x07")
    assert fingerprint(tmp_path / "a.mhd", TWICE) != before
