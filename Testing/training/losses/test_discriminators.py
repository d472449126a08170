"""The discriminators are those of the papers, take the patches they should, and drop what they are told to."""

import pytest
import torch

from Training.losses.discriminators import PatchDiscriminator, SRGANDiscriminator


def test_srgan_d_judges_patches_of_any_size_position_by_position():
    network = PatchDiscriminator(4)
    for side in (96, 192):
        assert network(torch.rand(2, 1, side, side)).shape == (2, 1, side // 16, side // 16)


def test_srgan_judges_a_patch_as_a_whole_and_only_of_its_size():
    network = SRGANDiscriminator(48, 4)
    assert network(torch.rand(2, 1, 48, 48)).shape == (2, 1)
    with pytest.raises(RuntimeError):
        network(torch.rand(2, 1, 96, 96))


def test_the_channels_are_those_of_the_paper():
    features = PatchDiscriminator(separable=False).features(torch.rand(1, 1, 32, 32))
    assert [feature.shape[1] for feature in features] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [feature.shape[2] for feature in features] == [32, 16, 16, 8, 8, 4, 4, 2]


def test_separable_convolutions_save_most_of_the_parameters():
    def size(separable):
        return sum(parameter.numel() for parameter in PatchDiscriminator(separable=separable).layers.parameters())

    assert size(True) < 0.15 * size(False)


def test_dropout_can_be_taken_off():
    torch.manual_seed(0)
    network, image = PatchDiscriminator(8, dropout=0.9).train(), torch.rand(2, 1, 32, 32)
    assert not torch.equal(network(image), network(image))
    network.set_dropout(0.0)
    torch.testing.assert_close(network(image), network(image))


def test_spectral_norm_bounds_every_convolution():
    torch.manual_seed(0)
    network = PatchDiscriminator(8, spectral_norm=True).train()
    with torch.no_grad():
        for _ in range(30):
            network(torch.rand(2, 1, 32, 32))
    for layer in network.eval().layers:
        for convolution in layer[0]:
            largest = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2)
            assert largest.item() == pytest.approx(1, abs=0.05)
