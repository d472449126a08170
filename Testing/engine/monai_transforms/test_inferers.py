"""The slice-plane inferer is the network on whole slices; the engine's inferer runs the network that it is given."""

import json
import warnings

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, set_track_meta
from monai.data.utils import collate_meta_tensor

from SuperResolutionLib.acquisition.noise import noise_level
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.geometry.intensity import IntensityScale
from SuperResolutionLib.geometry.volume import refined_matrix
from SuperResolutionLib.models.bundles import find_model
from SuperResolutionLib.models.networks import NETWORKS, CompactNet
from SuperResolutionLib.monai_transforms import SlicePlaneInferer, Upscale, UpscaleInferer, load_network
from SuperResolutionLib.upscaling.shown_slices import ShownSlices


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return NETWORKS["CompactNet"](factor=2, width=4, blocks=1).eval().requires_grad_(False)


def slices(*shape, border=0):
    image = torch.rand(shape)
    if border:
        for axis in (2, 3):
            image.narrow(axis, 0, border).zero_()
            image.narrow(axis, shape[axis] - border, border).zero_()
    return image


@pytest.mark.parametrize("tile", [256, 16])
@pytest.mark.parametrize("border", [0, 9])
def test_a_volume_is_refined_slice_by_slice_as_whole_slices_are(network, tile, border):
    volume = slices(2, 1, 37, 41, 3, border=border)
    volume[1] += border == 0
    fine = SlicePlaneInferer(tile=tile)(volume, network)
    assert fine.shape == (2, 1, 74, 82, 3) and fine.dtype == torch.float32
    for number in range(3):
        torch.testing.assert_close(fine[..., number], network(volume[..., number]), atol=1e-5, rtol=0)


def test_a_batch_of_slices_is_refined(network):
    images = slices(5, 1, 20, 23, border=3)
    torch.testing.assert_close(SlicePlaneInferer(tile=16)(images, network), network(images), atol=1e-5, rtol=0)


def test_empty_borders_are_skipped(network):
    areas = []
    hook = network.register_forward_pre_hook(lambda module, inputs: areas.append(inputs[0].shape[-2:].numel()))
    try:
        SlicePlaneInferer()(slices(1, 1, 64, 64, border=20), network)
    finally:
        hook.remove()
    assert sum(areas) < 0.6 * 64 * 64


def test_flips_and_turns_are_averaged_where_that_is_asked_for(network):
    image = slices(1, 1, 12, 12)
    turned = [
        torch.rot90(network(torch.rot90(side, turns, (-2, -1))), -turns, (-2, -1)).flip(-1) if flipped
        else torch.rot90(network(torch.rot90(side, turns, (-2, -1))), -turns, (-2, -1))
        for flipped, side in ((False, image), (True, image.flip(-1)))
        for turns in range(4)
    ]  # fmt: skip
    fine = SlicePlaneInferer(ensemble=True)(image, network)
    torch.testing.assert_close(fine, sum(turned) / 8, atol=1e-5, rtol=0)
    assert (fine - network(image)).abs().max() > 1e-4


def test_smaller_tiles_when_memory_runs_out_and_a_warning(network, monkeypatch):
    whole = type(network).forward

    def forward(self, x):
        if x.shape[-1] > 100:
            raise RuntimeError("CUDA out of memory")
        return whole(self, x)

    image = slices(1, 1, 150, 150)
    expected = network(image)
    monkeypatch.setattr(type(network), "forward", forward)
    with pytest.warns(UserWarning, match="tiles were made smaller"):
        fine = SlicePlaneInferer()(image, network)
    torch.testing.assert_close(fine, expected, atol=1e-5, rtol=0)


def test_the_result_can_be_worked_on(network):
    with torch.no_grad():
        fine = SlicePlaneInferer()(slices(1, 1, 8, 9, 2), network)
    fine += 1  # an inference tensor would refuse


@pytest.mark.parametrize("batched", [True, False])
def test_a_metatensor_gets_the_affine_of_the_finer_grid(network, oblique_phantom, image_from, batched):
    image = image_from(oblique_phantom)
    inputs = collate_meta_tensor([image, image]) if batched else image[None]
    fine = SlicePlaneInferer()(inputs, network)
    expected = refined_matrix(oblique_phantom.ijk_to_ras, (2, 2, 1))
    assert isinstance(fine, MetaTensor) and fine.affine.shape == inputs.affine.shape
    assert np.abs(fine.affine.numpy() - expected).max() < 1e-9
    assert np.array_equal(np.atleast_2d(fine.meta["spatial_shape"])[0], [88, 80, 5])
    if batched:
        assert np.abs(fine[1].affine.numpy() - expected).max() < 1e-9
    flat = SlicePlaneInferer()(MetaTensor(slices(1, 1, 8, 9), affine=np.diag([2.0, 2, 1])), network)
    assert np.allclose(flat.affine, [[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


def test_without_tracking_of_meta_data_a_plain_tensor_comes_out(network, tiny, oblique_phantom, image_from):
    image = image_from(oblique_phantom)[None]
    set_track_meta(False)
    try:
        assert type(SlicePlaneInferer()(image, network)) is torch.Tensor
        assert type(UpscaleInferer(tiny)(image, load_network(tiny))) is torch.Tensor
    finally:
        set_track_meta(True)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (1, 2, 8, 8), (1, 1, 8, 8, 2, 2)], ids=str)
def test_other_axes_and_several_channels_are_refused_in_one_sentence(network, shape):
    with pytest.raises(InputError, match=r"^[^\n]+; [^\n]+\.$"):
        SlicePlaneInferer()(torch.rand(shape), network)


def test_the_engine_runs_the_network_that_it_is_given(tiny, phantom, oblique_phantom, image_from):
    batch = collate_meta_tensor([image_from(phantom), image_from(oblique_phantom)])
    inferer = UpscaleInferer(tiny, detail=0.5)
    finer = inferer(batch, load_network(tiny, 0.5))
    expected = [Upscale(model=tiny, detail=0.5)(image_from(volume)) for volume in (phantom, oblique_phantom)]
    for image, wanted in zip(finer, expected):
        assert torch.equal(image, wanted) and torch.equal(image.affine, wanted.affine)
        assert model_digests(image) == model_digests(wanted) and "+" in str(model_digests(image))
    other = load_network(tiny, 0.5)
    with torch.no_grad():
        other.tail.bias += 0.5
    changed = inferer(batch, other)
    assert not torch.equal(changed, finer)
    assert not model_digests(changed[0]) & model_digests(finer[0])


def model_digests(image):
    """Return all values in the report that a key ending in sha256 names."""

    def found(part):
        if isinstance(part, list):
            return set().union(*map(found, part))
        if not isinstance(part, dict):
            return set()
        own = {value for key, value in part.items() if key.endswith("sha256")}
        return own.union(*(found(value) for value in part.values()))

    digests = found(json.loads(image.meta["super_resolution"]))
    assert digests
    return digests


def test_the_network_of_a_bundle_has_the_weights_of_its_default_detail(tiny):
    default = find_model(tiny).load(0.0).state_dict()
    for key, value in load_network(tiny).state_dict().items():
        assert torch.equal(value, default[key])


def test_an_inferer_without_a_model_or_with_an_unknown_option_is_refused_at_once(tiny, tmp_path):
    with pytest.raises(InputError, match="no model"):
        UpscaleInferer(tmp_path / "nothing")
    with pytest.raises(TypeError, match="tyle"):
        UpscaleInferer(tiny, tyle=3)


def test_the_inferers_say_nothing_when_nothing_is_wrong(network, tiny, phantom, image_from):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SlicePlaneInferer()(slices(1, 1, 8, 9, 2), network)
        UpscaleInferer(tiny)(collate_meta_tensor([image_from(phantom)]), load_network(tiny))


def test_a_network_that_sees_neighbours_is_shown_those_of_a_meta_tensor_and_told_how_far_they_are():
    torch.manual_seed(0)
    network = CompactNet(2, 8, 1, neighbours=2).eval().requires_grad_(False)
    volume = torch.rand(1, 1, 32, 36, 4)
    stack = volume[0, 0].permute(2, 0, 1).numpy()
    shown = ShownSlices(stack, IntensityScale(0.0, 1.0), 2, noise_level(stack), 3.0)
    near = SlicePlaneInferer()(MetaTensor(volume, affine=np.diag([0.5, 0.5, 1.5, 1])), network)
    torch.testing.assert_close(near.as_tensor()[0, 0].permute(2, 0, 1), network(shown(0, 4))[:, 0], atol=1e-5, rtol=0)
    far = SlicePlaneInferer()(MetaTensor(volume, affine=np.diag([0.5, 0.5, 5, 1])), network)
    unknown = SlicePlaneInferer()(volume, network)
    torch.testing.assert_close(far.as_tensor(), unknown, atol=1e-6, rtol=0)
    assert (near.as_tensor() - unknown).abs().max() > 1e-3
