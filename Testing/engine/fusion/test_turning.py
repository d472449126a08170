import numpy as np
import pytest
import SimpleITK as sitk
import torch

from SuperResolutionLib.fusion.turning import Turn

SHAPE, CENTRE = (30, 32, 36), (14.5, 15.5, 17.5)


def rotation(*degrees):
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*np.radians(degrees))
    return np.array(transform.GetMatrix()).reshape(3, 3)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (0, 0, 3), (0, 20, 0), (2, -3, 1), (0.001, 30, -0.5), (35, 10, -20)])
def test_the_shears_are_the_rotation_and_none_is_steeper_than_it(degrees):
    turned = rotation(*degrees)
    product = np.eye(3)
    turn = Turn.of(turned, CENTRE)
    for shear in turn.shears:
        row = np.eye(3)
        row[shear.axis] += shear.slopes
        product = product @ row
    np.testing.assert_allclose(product, turned, atol=1e-12)
    angle = np.arccos(np.clip((np.trace(turned) - 1) / 2, -1, 1))
    assert all(max(np.abs(shear.slopes)) <= 1.3 * angle + 1e-6 for shear in turn.shears)


def test_a_turned_blob_lies_where_it_belongs():
    turned = rotation(4, -6, 5)
    places = np.stack(np.indices(SHAPE), axis=-1).astype(float)

    def blob(at):
        return np.exp(-((at - [17, 13, 20]) ** 2).sum(axis=-1) / 10)

    result = Turn.of(turned, CENTRE)(torch.from_numpy(blob(places)).float())
    np.testing.assert_allclose(result, blob((places - CENTRE) @ turned.T + CENTRE), atol=1e-3)


def test_the_turn_back_is_its_adjoint_and_nothing_is_changed_in_place():
    turn = Turn.of(rotation(3, 2, -4), CENTRE)
    one, other = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    kept = one.clone()
    assert float((turn(one) * other).sum()) == pytest.approx(
        float((one * turn.adjoint(other)).sum()), rel=1e-3, abs=0.05
    )
    assert torch.equal(one, kept)
