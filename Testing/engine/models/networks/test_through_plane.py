"""The network for new slices: where its rows lie, and that its halos cover the receptive field."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.models.networks.through_plane import ThroughPlaneNet, cubic_rows, row_places


@pytest.fixture
def seeing():
    """A network that sees two reformats on either side; each of its weights matters."""
    torch.manual_seed(0)
    return ThroughPlaneNet(width=8, blocks=1, neighbours=2).eval().requires_grad_(False)


def test_the_answer_depends_on_every_neighbour_on_the_noise_and_on_the_distance(seeing):
    reformats = torch.rand(2, 5, 6, 20)
    answer = seeing(reformats, 3.0, 1.0, noise=0.02, apart=1.0)
    for channel in range(5):
        other = reformats.clone()
        other[:, channel] += 0.1
        assert not torch.allclose(seeing(other, 3.0, 1.0, noise=0.02, apart=1.0), answer)
    for told in ({"noise": 0.05, "apart": 1.0}, {"noise": 0.02, "apart": 2.0}):
        assert not torch.allclose(seeing(reformats, 3.0, 1.0, **told), answer)


def test_each_reformat_of_a_batch_can_be_told_its_own_noise_and_distance(seeing):
    reformats = torch.rand(2, 5, 6, 20)
    together = seeing(reformats, 3.0, 1.0, noise=torch.tensor([0.0, 0.05]), apart=torch.tensor([2.0, 1.0]))
    for number, (noise, apart) in enumerate(((0.0, 2.0), (0.05, 1.0))):
        alone = seeing(reformats[number : number + 1], 3.0, 1.0, noise=noise, apart=apart)
        torch.testing.assert_close(together[number : number + 1], alone)


def test_a_lone_reformat_is_its_own_neighbour_at_no_distance(seeing):
    reformats = torch.rand(2, 1, 6, 20)
    alone = seeing(reformats, 3.0, 1.0, noise=0.02, apart=1.0)
    torch.testing.assert_close(alone, seeing(reformats.expand(-1, 5, -1, -1), 3.0, 1.0, noise=0.02, apart=0.0))


def test_a_network_without_neighbours_answers_as_its_first_weights_learnt_to():
    torch.manual_seed(0)
    network = ThroughPlaneNet(width=8, blocks=2).eval().requires_grad_(False)
    reformats = torch.rand(2, 1, 6, 20)
    answer = network(reformats, 3.0, 0.8)
    assert torch.equal(network(reformats, 3.0, 0.8, noise=0.05, apart=1.0), answer)
    for block in network.body:  # only the first channel's scale and shift were ever used, and trained
        for part in block.modulation.weight.chunk(2):
            part[1:] += 1
    assert torch.equal(network(reformats, 3.0, 0.8), answer)


@pytest.mark.parametrize("neighbours", [0, 2])
def test_columns_beyond_the_halo_and_slices_beyond_the_slice_halo_change_nothing(neighbours):
    torch.manual_seed(0)
    network = ThroughPlaneNet(width=8, blocks=1, neighbours=neighbours)
    reformats = torch.rand(1, 1 + 2 * neighbours, 24, 60)
    far = reformats.clone()
    far[..., 30 + network.halo + 1 :] += 1
    far[:, :, 12 + network.slice_halo + 1 :] += 1
    with torch.inference_mode():
        first, second = network(reformats, 3.0, 1.0), network(far, 3.0, 1.0)
    torch.testing.assert_close(first[:, :, : 3 * 12, :31], second[:, :, : 3 * 12, :31])
    assert not torch.allclose(first, second)


@given(slices=st.integers(2, 30), spacing=st.floats(1.1, 8))
def test_rows_lie_evenly_about_the_middle_of_the_stack(slices, spacing):
    places = row_places(slices, spacing)
    assert len(places) == max(1, round(slices * spacing))
    assert float(places[0] + places[-1]) == pytest.approx(slices - 1, abs=1e-3)
    torch.testing.assert_close(places.diff(), torch.full((len(places) - 1,), 1 / spacing), atol=1e-4, rtol=1e-4)
    weights = cubic_rows(slices, places)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(places)))


def test_cubic_rows_are_keys_convolution():
    weights = cubic_rows(7, torch.tensor([3.0, 3.5]))
    torch.testing.assert_close(weights[0], torch.eye(7)[3])
    torch.testing.assert_close(weights[1, 2:6], torch.tensor([-0.0625, 0.5625, 0.5625, -0.0625]))
    ramp = torch.arange(9.0)
    places = torch.linspace(1.0, 7.0, 25)
    torch.testing.assert_close(cubic_rows(9, places) @ ramp, places)
