"""Networks in 8 bits that are kept: what is looked at again, and what is not."""

import pytest
import torch

from SuperResolutionLib.models.networks import CompactNet
from SuperResolutionLib.models.precision import PreparedNetwork, kept
from SuperResolutionLib.models.precision.onednn import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is 8-bit convolution")
CPU = torch.device("cpu")
IMAGE = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def made(monkeypatch):
    """How often a network was made."""
    calls = []

    def make(network, show, really=kept._made):
        calls.append(network)
        return really(network, show)

    monkeypatch.setattr(kept, "_made", make)
    monkeypatch.setattr(kept, "_kept", {})
    return calls


def network(seed=0, **options):
    torch.manual_seed(seed)
    return CompactNet(2, 32, 1, **options).eval()


def prepared(which, image=IMAGE):
    return PreparedNetwork(which, CPU, "int8", lambda call: call(image))


def test_the_same_network_that_is_shown_the_same_is_made_once_and_answers_alike(made):
    with torch.inference_mode():
        first, second = (prepared(network())(IMAGE) for _ in range(2))
    assert len(made) == 1 and torch.equal(first, second)


@pytest.mark.parametrize(
    ("other", "image"),
    [
        (lambda: network(1), IMAGE),
        (lambda: network(dilation=2), IMAGE),
        (network, IMAGE + 0.1),
        (network, IMAGE[..., :20]),
    ],
    ids=["weights", "arguments", "pixels", "size"],
)
def test_another_network_or_another_scan_is_looked_at(made, other, image):
    prepared(network())
    prepared(other(), image)
    assert len(made) == 2


def test_weights_that_were_changed_in_place_are_looked_at(made):
    changing = network()
    prepared(changing)
    changing.tail.weight.data.mul_(1.5)
    prepared(changing)
    assert len(made) == 2


def test_few_are_kept(made):
    for seed in range(kept.MOST + 1):
        prepared(network(seed))
    prepared(network(kept.MOST))
    assert len(kept._kept) == kept.MOST and len(made) == kept.MOST + 1
    prepared(network(0))
    assert len(made) == kept.MOST + 2
