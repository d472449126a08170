"""The perceptual network is VGG19, and the loss is a distance of its features."""

import pytest
import safetensors.torch
import torch

from Training.losses.perceptual import VGG19, PerceptualLoss


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "vgg.safetensors"
    safetensors.torch.save_file(VGG19(4).state_dict(), path)
    return path


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


def test_the_loss_is_zero_for_the_truth_and_lets_gradients_through(weights):
    loss, truth = PerceptualLoss(weights), torch.rand(2, 1, 48, 48)
    assert loss(truth, truth) == 0
    image = (0.5 * truth).requires_grad_()
    loss(image, truth).backward()
    assert image.grad.abs().sum() > 0
    assert not [p for p in loss.parameters() if p.requires_grad]
    assert not loss.train().network.training


def test_the_distance_is_the_mean_over_the_chosen_convolutions(weights):
    torch.manual_seed(0)
    image, truth = torch.rand(2, 2, 1, 48, 48)
    alone = [float(PerceptualLoss(weights, [number])(image, truth)) for number in (4, 8)]
    assert alone[0] != pytest.approx(alone[1], rel=1e-3)
    assert float(PerceptualLoss(weights, [4, 8])(image, truth)) == pytest.approx(sum(alone) / 2)
    network = PerceptualLoss(weights).network
    fourth, last = network.before_activation(image, [4, 16])
    torch.testing.assert_close(fourth, network.layers[:8](image))
    torch.testing.assert_close(last, network(image))


def test_torchvisions_imagenet_weights_fit(tmp_path):
    torch.manual_seed(0)
    network = VGG19(2, 3)
    state = {key.replace("layers", "features"): value for key, value in network.state_dict().items()}
    torch.save({**state, "classifier.0.weight": torch.zeros(3)}, tmp_path / "vgg19-dcbb9e9d.pth")
    loss = PerceptualLoss(tmp_path / "vgg19-dcbb9e9d.pth")
    assert loss(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)) > 0


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    safetensors.torch.save_file({"head.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no VGG19"):
        PerceptualLoss(tmp_path / "other.safetensors")
