"""The critics see edges and not smooth tissue, and not always the same places of the coarse grid."""

import torch

from Training.losses.critic_view import CriticView, local_deviation


def halves():
    """Return a truth with an edge in the middle, and a result that is wrong everywhere."""
    truth = torch.zeros(1, 1, 32, 64)
    truth[..., 32:] = 1.0
    return truth + 0.2, truth


def test_without_switches_the_images_are_shown_as_they_are():
    image, truth = halves()
    seen, seen_truth = CriticView(4)(image, truth)
    assert torch.equal(seen, image) and torch.equal(seen_truth, truth)


def test_where_the_truth_is_smooth_the_result_is_hidden_and_gets_no_gradient():
    image, truth = halves()
    image.requires_grad_()
    seen, seen_truth = CriticView(4, smooth=0.04)(image, truth)
    assert torch.equal(seen_truth, truth)
    assert torch.equal(seen[..., :24], truth[..., :24]) and torch.equal(seen[..., 40:], truth[..., 40:])
    torch.testing.assert_close(seen[..., 30:34], image[..., 30:34])
    seen.sum().backward()
    assert image.grad[..., :24].abs().max() == 0
    assert image.grad[..., 30:34].min() == 1


def test_grain_is_smooth_and_an_edge_is_not():
    grain = 0.03 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert local_deviation(grain).max() < 0.04
    assert local_deviation(grain + halves()[1][..., :1, :])[..., 31:33].min() > 0.08


def test_shifted_images_begin_at_every_place_within_a_coarse_voxel_alike():
    torch.manual_seed(0)
    truth = torch.arange(32.0 * 64).reshape(1, 1, 32, 64)
    view = CriticView(4, shifted=True)
    begun = set()
    for _ in range(200):
        seen, seen_truth = view(truth + 0.5, truth)
        assert seen.shape == (1, 1, 28, 60)
        assert torch.equal(seen, seen_truth + 0.5)
        begun.add(divmod(int(seen_truth[0, 0, 0, 0]), 64))
    assert begun == {(row, column) for row in range(4) for column in range(4)}
