"""The perceptual network is VGG19, with or without batch normalisation."""

import torch

from Training.losses.vgg19 import VGG19


def test_the_network_has_the_sixteen_convolutions_of_vgg19():
    with torch.device("meta"):
        network = VGG19(64, 3)
    sizes = [layer.out_channels for layer in network.layers if isinstance(layer, torch.nn.Conv2d)]
    assert sizes == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8
    assert sum(parameter.numel() for parameter in network.parameters()) == 20_024_384  # torchvision's vgg19.features
    assert isinstance(network.layers[-1], torch.nn.Conv2d)


def test_folding_takes_batch_normalisation_out_and_keeps_the_function():
    torch.manual_seed(0)
    network, image = VGG19(4, batch_norm=True), torch.rand(4, 1, 48, 48)
    for _ in range(50):
        network(image)
    folded = network.eval().folded()
    assert not [layer for layer in folded.layers if isinstance(layer, torch.nn.BatchNorm2d)]
    assert network(image).std() > 0.1
    torch.testing.assert_close(folded(image), network(image), atol=1e-4, rtol=1e-4)
