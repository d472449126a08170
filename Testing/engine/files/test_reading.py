"""Files in: their values and matrices, and what is refused."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import image_from_volume, write_volume
from SuperResolutionLib.geometry.volume import Volume

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"
NIBABEL_IMAGES = Path(nibabel.__file__).parent / "tests" / "data"


@pytest.mark.parametrize("name, modality", [("MR_small.dcm", "MR"), ("CT_small.dcm", "CT")])
def test_a_single_dicom_file_is_read_with_its_modality_and_units(name, modality):
    volume = read_volume(get_testdata_file(name))
    data = pydicom.dcmread(get_testdata_file(name))
    assert volume.modality == modality
    offset = float(data.get("RescaleIntercept", 0))
    np.testing.assert_array_equal(volume.voxels[0], data.pixel_array + offset)
    assert volume.voxels.dtype.kind in "iu"


def test_a_2d_image_becomes_one_slice(tmp_path):
    image = sitk.GetImageFromArray(np.arange(30, dtype=np.uint8).reshape(5, 6))
    image.SetSpacing((0.5, 0.25))
    sitk.WriteImage(image, str(tmp_path / "slice.mha"))
    volume = read_volume(tmp_path / "slice.mha")
    assert volume.dimensions == (6, 5, 1)
    np.testing.assert_allclose(volume.spacing[:2], (0.5, 0.25))


def test_a_4d_image_of_one_volume_is_that_volume(tmp_path, phantom):
    image = sitk.JoinSeries(image_from_volume(phantom))
    sitk.WriteImage(image, str(tmp_path / "one.nrrd"))
    read = read_volume(tmp_path / "one.nrrd")
    np.testing.assert_array_equal(read.voxels, phantom.voxels)
    np.testing.assert_allclose(read.ijk_to_ras, phantom.ijk_to_ras)


def _vector(folder):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.float32), isVector=True), str(folder / "f.nrrd"))
    return folder / "f.nrrd"


def _colour(folder):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6, 3), np.uint8), isVector=True), str(folder / "f.png"))
    return folder / "f.png"


def _complex(folder):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), np.complex64), np.eye(4)), folder / "f.nii")
    return folder / "f.nii"


def _text(folder):
    (folder / "f.nrrd").write_text("Dear colleague, please find the scan attached.\n")
    return folder / "f.nrrd"


def _no_bytes(folder):
    (folder / "f.nii.gz").write_bytes(b"")
    return folder / "f.nii.gz"


def _no_voxels(folder):
    (folder / "f.nrrd").write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 0 4 4\nencoding: raw\n\n")
    return folder / "f.nrrd"


def _missing(folder):
    return folder / "f.nrrd"


def _cut(suffix):
    def write(folder):
        voxels = np.random.default_rng(0).integers(0, 30000, (8, 40, 40)).astype(np.int16)
        write_volume(Volume(voxels, np.eye(4)), folder / f"f{suffix}")
        content = (folder / f"f{suffix}").read_bytes()
        (folder / f"f{suffix}").write_bytes(content[: len(content) // 2])
        return folder / f"f{suffix}"

    write.__name__ = f"_cut{suffix}"
    return write


@pytest.mark.parametrize(
    "write",
    [
        *(_vector, _colour, _complex, _text, _no_bytes, _no_voxels, _missing),
        *(_cut(suffix) for suffix in (".nrrd", ".nii.gz", ".nii", ".mha")),
    ],
    ids=lambda write: write.__name__.strip("_"),
)
def test_a_file_that_is_no_grey_scale_volume_is_an_input_error_that_names_it(tmp_path, write):
    path = write(tmp_path)
    with pytest.raises(InputError, match=ONE_SENTENCE) as caught:
        read_volume(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("name", ["example4d.nii.gz", "functional.nii"])
def test_a_series_of_volumes_is_an_input_error(name):
    with pytest.raises(InputError, match="4-D"):
        read_volume(NIBABEL_IMAGES / name)


def test_nibabels_anatomical_image_is_read_as_nibabel_reads_it():
    ours, theirs = read_volume(NIBABEL_IMAGES / "anatomical.nii"), nibabel.load(NIBABEL_IMAGES / "anatomical.nii")
    np.testing.assert_array_equal(ours.voxels, np.asarray(theirs.dataobj).T)
    np.testing.assert_allclose(ours.ijk_to_ras, theirs.affine, atol=1e-5)
