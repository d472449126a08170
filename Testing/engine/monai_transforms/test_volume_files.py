"""MONAI's LoadImage and SaveImage by the engine's own file code."""

import json

import numpy as np
import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirst, LoadImage, SaveImage

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.monai_transforms import Upscale, VolumeReader, VolumeWriter

LOAD = Compose([LoadImage(VolumeReader, dtype=None), EnsureChannelFirst()])


def save(folder, extension, **options):
    options = {"output_dtype": None, "output_postfix": "", "separate_folder": False, **options}
    return SaveImage(folder, output_ext=extension, writer=VolumeWriter, **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64], ids=str)
@pytest.mark.parametrize("extension", [".nrrd", ".nii.gz", ".mha"])
def test_a_volume_comes_through_with_its_voxels_its_type_and_its_place(oblique_phantom, tmp_path, dtype, extension):
    volume = Volume((oblique_phantom.voxels // 4).astype(dtype), oblique_phantom.ijk_to_ras, "MR", 2.5)
    write_volume(volume, tmp_path / f"scan{extension}")
    image = LOAD(tmp_path / f"scan{extension}")
    assert image.shape == (1, *volume.dimensions)
    assert np.array_equal(image.affine, read_volume(tmp_path / f"scan{extension}").ijk_to_ras)
    (tmp_path / "out").mkdir()
    save(tmp_path / "out", extension)(image)
    saved = read_volume(tmp_path / "out" / f"scan{extension}")
    assert saved.voxels.dtype == dtype and np.array_equal(saved.voxels, volume.voxels)
    assert np.abs(saved.ijk_to_ras - volume.ijk_to_ras).max() < (1e-5 if extension == ".nii.gz" else 1e-9)
    if extension != ".nii.gz":
        assert (saved.modality, saved.slice_thickness) == ("MR", 2.5)


def test_a_dicom_series_is_read_from_its_folder(write_series, tmp_path):
    pytest.importorskip("pydicom")
    folder = write_series(tmp_path / "series", ["a", "b", "c"])
    image, volume = LOAD(folder), read_volume(folder)
    assert np.array_equal(image[0].numpy().T, volume.voxels)
    assert np.array_equal(image.affine, volume.ijk_to_ras)


def test_an_asked_for_type_is_rounded_to_and_clamped(phantom, tmp_path):
    write_volume(phantom, tmp_path / "scan.nrrd")
    image = LOAD(tmp_path / "scan.nrrd") + 0.75
    save(tmp_path / "out", ".nrrd", output_dtype=np.uint8)(image)
    expected = np.clip(np.rint(phantom.voxels + 0.75), 0, 255)
    assert np.array_equal(read_volume(tmp_path / "out" / "scan.nrrd").voxels, expected)
    save(tmp_path / "out", ".nrrd", output_dtype=torch.float32)(image)
    assert read_volume(tmp_path / "out" / "scan.nrrd").voxels.dtype == np.float32


def test_the_report_lies_beside_an_upscaled_volume_and_beside_no_other(phantom, tiny, tmp_path):
    write_volume(phantom, tmp_path / "scan.nrrd")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scan.nrrd.json").write_text("old")
    image = LOAD(tmp_path / "scan.nrrd")
    save(tmp_path / "out", ".nrrd")(Upscale(model=tiny)(image))
    report = json.loads((tmp_path / "out" / "scan.nrrd.json").read_text())
    assert report["output"]["dimensions_ijk"] == [88, 80, 5]
    save(tmp_path / "other", ".nrrd")(image)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["scan.nrrd"]


def test_what_is_no_volume_is_refused_in_the_engines_words(tmp_path):
    (tmp_path / "scan.nii.gz").write_text("nothing")
    wrong = {
        "not an image that can be read": tmp_path / "scan.nii.gz",
        "There is no file": tmp_path / "none.nrrd",
        "2 files": [tmp_path / "a.nrrd", tmp_path / "b.nrrd"],
    }
    for words, path in wrong.items():
        with pytest.raises(InputError, match=f"{words}.*; "):
            LoadImage(VolumeReader)(path)


@pytest.mark.parametrize("option", [{"resample": True}, {"scale": 255}], ids=str)
def test_what_would_change_the_voxels_is_refused(phantom, tmp_path, option):
    write_volume(phantom, tmp_path / "scan.nrrd")
    with pytest.raises(RuntimeError, match="leave out"):  # MONAI wraps what a writer raises
        save(tmp_path / "out", ".nrrd", **option)(LOAD(tmp_path / "scan.nrrd"))
    assert not list(tmp_path.rglob("out/*.nrrd"))
