"""What decides whether a result is of the same run."""

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from SuperResolutionLib.cohort import task
from SuperResolutionLib.cohort.task import fingerprint
from SuperResolutionLib.files.writing import image_from_volume, write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.models.bundles import installed_models
from SuperResolutionLib.models.error_calibration import UNCALIBRATED
from SuperResolutionLib.upscaling.plan import UpscaleRequest

TWICE = UpscaleRequest(factor=2, quality="fast", device="cpu")


def test_the_voxels_beside_a_header_count_as_input(tmp_path, phantom):
    sitk.WriteImage(image_from_volume(phantom), str(tmp_path / "a.mhd"))
    before = fingerprint(tmp_path / "a.mhd", TWICE)
    raw = tmp_path / "a.raw" if (tmp_path / "a.raw").exists() else tmp_path / "a.zraw"
    raw.write_bytes(raw.read_bytes()[:-1] + b"\x07")
    assert fingerprint(tmp_path / "a.mhd", TWICE) != before


def test_a_sidecar_and_a_stated_matrix_count_as_input_too(tmp_path):
    write_volume(Volume(np.zeros((3, 9, 9), np.int16), np.eye(4)), tmp_path / "t1.nii.gz")
    alone = fingerprint(tmp_path / "t1.nii.gz", TWICE)
    (tmp_path / "t1.json").write_text('{"BaseResolution": 9}')
    beside = fingerprint(tmp_path / "t1.nii.gz", TWICE)
    (tmp_path / "t1.json").write_text('{"BaseResolution": 5}')
    changed = fingerprint(tmp_path / "t1.nii.gz", TWICE)
    stated = fingerprint(
        tmp_path / "t1.nii.gz", UpscaleRequest(factor=2, quality="fast", device="cpu", acquired=(5, 9))
    )
    assert len({alone, beside, changed, stated}) == 4


def test_an_expected_error_that_was_calibrated_anew_is_another_result(tmp_path, phantom, monkeypatch):
    write_volume(phantom, tmp_path / "t1.nrrd")
    before = fingerprint(tmp_path / "t1.nrrd", TWICE)
    assert fingerprint(tmp_path / "t1.nrrd", TWICE) == before
    models = [replace(model, error_calibration=UNCALIBRATED) for model in installed_models()]
    monkeypatch.setattr(task, "installed_models", lambda: models)
    assert fingerprint(tmp_path / "t1.nrrd", TWICE) != before
