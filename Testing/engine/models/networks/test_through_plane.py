"""The network for new slices: where its rows lie, and that its halos cover the receptive field."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from SuperResolutionLib.models.networks.through_plane import ThroughPlaneNet, cubic_rows, row_places


def test_columns_beyond_the_halo_and_slices_beyond_the_slice_halo_change_nothing():
    torch.manual_seed(0)
    network = ThroughPlaneNet(width=8, blocks=1)
    reformats = torch.rand(1, 1, 24, 60)
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
