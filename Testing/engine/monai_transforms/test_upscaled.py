"""The transform gives what the engine gives: voxels, place and type, wherever in a Compose it stands."""

import json

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, decollate_batch, set_track_meta
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Flip,
    LoadImage,
    LoadImaged,
    Orientation,
    SaveImage,
    SaveImaged,
)

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume
from SuperResolutionLib.geometry.volume import LPS_TO_RAS, Volume
from SuperResolutionLib.monai_transforms import Upscale, Upscaled, VolumeReader
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale

ONE_SENTENCE = r"^[^\n]+; [^\n]+\.$"


@pytest.fixture
def nifti(oblique_phantom, tmp_path):
    """The path of an oblique int16 volume as NIfTI."""
    path = tmp_path / "scan.nii.gz"
    write_volume(oblique_phantom, path)
    return path


def engine(volume, model, **options):
    return upscale(volume, UpscaleRequest(model=model, factor=None, **options)).volume


def bounds(image):
    """Return the RAS bounds of the box that the voxels of ``(1, i, j, k)`` fill."""
    return Volume(np.zeros(image.shape[:0:-1], np.uint8), image.affine.numpy()).ras_bounds()


@pytest.mark.parametrize("channel_first", [True, False], ids=["channel first", "as loaded"])
def test_a_compose_from_file_to_file_keeps_voxels_place_and_type_of_the_engine(nifti, tiny, tmp_path, channel_first):
    steps = [
        LoadImaged("image", dtype=None),
        *([EnsureChannelFirstd("image")] if channel_first else []),
        Upscaled("image", model=tiny),
        SaveImaged("image", output_dir=tmp_path, output_dtype=None, separate_folder=False),
    ]
    image = Compose(steps)({"image": nifti})["image"]
    expected = engine(read_volume(nifti), tiny)
    saved = read_volume(tmp_path / "scan_trans.nii.gz")
    assert image.shape == ((1, 88, 80, 5) if channel_first else (88, 80, 5))
    assert image.dtype == torch.int16 and saved.voxels.dtype == np.int16
    assert np.array_equal(image.numpy().squeeze().T, expected.voxels)
    assert np.array_equal(saved.voxels, expected.voxels)
    assert np.abs(image.affine.numpy() - expected.ijk_to_ras).max() < 1e-5  # what float32 leaves of NIfTI's matrix
    assert np.abs(saved.ijk_to_ras - expected.ijk_to_ras).max() < 1e-5
    assert np.abs(bounds(image if channel_first else image[None]) - read_volume(nifti).ras_bounds()).max() < 1e-5


def test_the_resampling_of_the_writer_leaves_the_finer_grid_alone(nifti, tiny, tmp_path):
    image = Upscale(model=tiny)(LoadImage(dtype=None, ensure_channel_first=True)(nifti))
    SaveImage(output_dir=tmp_path, output_dtype=None, resample=True, separate_folder=False)(image)
    assert np.array_equal(read_volume(tmp_path / "scan_trans.nii.gz").voxels, image[0].numpy().T)


def test_the_result_has_the_type_of_the_image(nifti, tiny):
    image = LoadImage()(nifti)
    assert image.dtype == torch.float32
    finer = Upscale(model=tiny)(image)
    assert finer.dtype == torch.float32 and (finer != finer.round()).any()
    assert Upscale(model=tiny, output_type="float")(image.to(torch.int16)).dtype == torch.float32
    assert Upscale(model=tiny)(image.double()).dtype == torch.float64


def test_unsigned_types_that_monai_widens_are_clamped_to_the_files_type(make_phantom, tiny, tmp_path):
    volume = make_phantom(dtype=np.uint16)
    brighter = Volume(np.where(volume.voxels > 600, 65535, volume.voxels).astype(np.uint16), volume.ijk_to_ras)
    write_volume(brighter, tmp_path / "scan.nrrd")
    image = LoadImage(VolumeReader, dtype=None)(tmp_path / "scan.nrrd")
    assert image.dtype == torch.int32
    finer = Upscale(model=tiny)(image)
    assert finer.dtype == torch.int32 and finer.max() == 65535
    assert np.array_equal(finer.numpy().T, engine(brighter, tiny).voxels)
    beyond = Upscale(model=tiny)(image + 1)  # one voxel too bright for the file's type
    assert beyond.max() > 65535


@pytest.mark.parametrize(
    "option", [{"isotropic": True}, {"spacing": 0.6}, {"factor": (1, 1, 3)}, {"detail": 0.5}], ids=str
)
def test_all_that_a_request_can_ask_can_be_asked(phantom, tiny, image_from, option):
    options = {"quality": "fast", **option} if "detail" not in option else {"model": tiny, **option}
    expected = upscale(phantom, UpscaleRequest(**{"factor": None, **options}))
    image = Upscaled("image", **options)({"image": image_from(phantom)})["image"]
    assert np.array_equal(image[0].numpy().T, expected.volume.voxels)
    assert np.abs(image.affine.numpy() - expected.volume.ijk_to_ras).max() < 1e-9
    assert json.loads(image.meta["super_resolution"])["output"] == expected.report["output"]


def test_a_region_in_mm_is_cut_out(oblique_phantom, tiny, image_from):
    low, high = oblique_phantom.ras_bounds()
    region = (*(low + 0.4 * (high - low)), *(low + 0.6 * (high - low)))
    expected = engine(oblique_phantom, tiny, region=region)
    image = Upscale(model=tiny, region=region)(image_from(oblique_phantom))
    assert np.array_equal(image[0].numpy().T, expected.voxels)
    assert np.abs(image.affine.numpy() - expected.ijk_to_ras).max() < 1e-9


def test_an_affine_to_lps_stays_one(oblique_phantom, tiny, image_from):
    image = image_from(oblique_phantom)
    image.affine, image.meta["space"] = LPS_TO_RAS @ oblique_phantom.ijk_to_ras, "LPS"
    finer = Upscale(model=tiny)(image)
    assert finer.meta["space"] == "LPS"
    expected = engine(oblique_phantom, tiny)
    assert np.abs(LPS_TO_RAS @ finer.affine.numpy() - expected.ijk_to_ras).max() < 1e-9
    low, high = oblique_phantom.ras_bounds()
    region = (*(low + 0.4 * (high - low)), *(low + 0.6 * (high - low)))
    finer = Upscale(model=tiny, region=region)(image)  # of which RAS is another place than LPS
    assert np.array_equal(finer[0].numpy().T, engine(oblique_phantom, tiny, region=region).voxels)


@pytest.mark.parametrize("turn", [Orientation("PIR"), Flip(0)], ids=["turned", "mirrored"])
def test_a_turned_image_fills_the_same_box(oblique_phantom, tiny, image_from, turn):
    image = turn(image_from(oblique_phantom))
    finer = Upscale(model=tiny)(image)
    assert sorted(finer.shape) == [1, 5, 80, 88]
    assert np.abs(bounds(finer) - oblique_phantom.ras_bounds()).max() < 1e-4
    assert [operation["class"] for operation in finer.applied_operations] == [type(turn).__name__]


def test_the_report_and_the_affine_survive_collation(phantom, oblique_phantom, tiny, image_from):
    data = [{"image": image_from(volume)} for volume in (phantom, oblique_phantom)]
    (batch,) = DataLoader(Dataset(data, Upscaled("image", model=tiny)), batch_size=2)
    for image, volume in zip(decollate_batch(batch["image"]), (phantom, oblique_phantom)):
        report = json.loads(image.meta["super_resolution"])
        assert report["output"]["dimensions_ijk"] == [88, 80, 5]
        assert np.array_equal(image[0].numpy().T, engine(volume, tiny).voxels)
        assert np.abs(bounds(image) - volume.ras_bounds()).max() < 1e-6
        again = Upscale(model=tiny)(image)  # and what was collated is an image like any other
        assert again.shape == (1, 176, 160, 5)


def test_what_the_file_knows_reaches_the_engine(make_phantom, tmp_path):
    thin = make_phantom()
    write_volume(Volume(thin.voxels, thin.ijk_to_ras, "CT", 2.0), tmp_path / "scan.nrrd")
    for load in (LoadImage(VolumeReader, dtype=None), Compose([LoadImage(VolumeReader), Flip(0)])):
        image = Upscale(isotropic=True)(load(tmp_path / "scan.nrrd"))
        report = image.meta["super_resolution"]
        assert "ct-through-plane" in report and '"the file"' in report


def test_the_dicom_tags_of_monais_own_reader_reach_the_engine(phantom, image_from):
    image = image_from(phantom)
    image.meta.update({"0008|0060": "CT", "0018|0050": "2.5"})
    report = Upscale(isotropic=True)(image).meta["super_resolution"]
    assert "ct-through-plane" in report and '"the file"' in report
    image.meta["0018|0050"] = "thick"
    assert '"the slice spacing"' in Upscale(isotropic=True)(image).meta["super_resolution"]


def test_a_single_slice_without_a_third_axis_stays_one(make_phantom, tiny):
    volume = make_phantom(shape=(1, 40, 44))
    image = MetaTensor(np.array(volume.voxels[0].T)[None], affine=np.diag([0.5, 0.5, 1.0]))
    finer = Upscale(model=tiny)(image)
    assert finer.shape == (1, 88, 80)
    assert np.array_equal(finer[0].numpy().T, engine(volume, tiny).voxels[0])
    assert np.allclose(finer.affine, [[0.25, 0, -0.125], [0, 0.25, -0.125], [0, 0, 1]])


def test_plain_arrays_are_voxels_of_one_millimetre(phantom, tiny):
    array = np.array(phantom.voxels.T)[None]
    for plain in (array, torch.from_numpy(array)):
        finer = Upscale(model=tiny)(plain)
        assert isinstance(finer, MetaTensor) and np.allclose(finer.pixdim, [0.5, 0.5, 1])


def test_without_tracking_of_meta_data_plain_tensors_come_out(phantom, tiny, image_from):
    expected = Upscale(model=tiny)(image_from(phantom))
    set_track_meta(False)
    try:
        finer = Upscale(model=tiny)(image_from(phantom))
        assert type(finer) is torch.Tensor and torch.equal(finer, expected.as_tensor())
    finally:
        set_track_meta(True)


def test_the_expected_error_comes_beside_the_image(phantom, tiny, image_from):
    expected = upscale(phantom, UpscaleRequest(factor=None, model=tiny, error=True))
    data = Upscaled("image", model=tiny, error=True)({"image": image_from(phantom), "age": 60})
    assert set(data) == {"image", "image_error", "age"}
    error = data["image_error"]
    assert error.dtype == torch.float32 and np.array_equal(error[0].numpy().T, expected.error.voxels)
    assert torch.equal(error.affine, data["image"].affine)


def test_the_network_may_adapt_within_no_grad(make_phantom, image_from, monkeypatch):
    monkeypatch.setattr("SuperResolutionLib.upscaling.adaptation.adapt.__defaults__", (1,))
    image = image_from(make_phantom(shape=(4, 20, 22)))
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            assert Upscale(isotropic=True, adapt=True)(image).shape == (1, 22, 20, 12)


def test_missing_keys_are_an_error_unless_they_are_allowed(phantom, tiny, image_from):
    data = {"t1": image_from(phantom)}
    with pytest.raises(KeyError, match="t2"):
        Upscaled(["t1", "t2"], model=tiny)(data)
    finer = Upscaled(["t1", "t2"], model=tiny, allow_missing_keys=True)(data)
    assert finer["t1"].shape == (1, 88, 80, 5)
    assert data["t1"].shape == (1, 44, 40, 5)  # what was given is as it was


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda image: torch.cat([image, image]),
        lambda image: image[0],  # nothing says that its first axis is spatial
        lambda image: image[None],
        lambda image: image.to(torch.complex64),
        lambda image: image.float() * float("nan"),
        lambda image: torch.zeros_like(image),
    ],
    ids=["two channels", "no channel", "a batch", "complex", "NaN", "constant"],
)
def test_what_cannot_be_upscaled_is_an_input_error_in_one_sentence(phantom, tiny, image_from, spoilt):
    with pytest.raises(InputError, match=ONE_SENTENCE):
        Upscaled("image", model=tiny)({"image": spoilt(image_from(phantom))})


def test_bad_requests_are_told_at_once(phantom, image_from):
    with pytest.raises(TypeError, match="factr"):
        Upscaled("image", factr=2)
    with pytest.raises(InputError, match="x9"):
        Upscaled("image", factor=9)({"image": image_from(phantom)})
