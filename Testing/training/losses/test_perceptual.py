"""The perceptual loss is a distance of VGG19's features."""

import pytest
import safetensors.torch
import torch

from Training.losses.perceptual import PerceptualLoss
from Training.losses.vgg19 import VGG19


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "vgg.safetensors"
    safetensors.torch.save_file(VGG19(4).state_dict(), path)
    return path


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
