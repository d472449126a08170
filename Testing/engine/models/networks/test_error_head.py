"""An error head reads a network's features: the image stays what it was, and the error is positive, in place, alike."""

import pytest
import torch

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.models.bundles import read_model
from SuperResolutionLib.models.error_calibration import UNIT
from SuperResolutionLib.models.networks import CompactNet, RRDBNet, ThroughPlaneNet
from SuperResolutionLib.models.networks.error_head import LEAST_ERROR, NetworkWithError
from SuperResolutionLib.models.networks.error_head import new_error_head as new
from SuperResolutionLib.models.networks.through_plane import row_places
from SuperResolutionLib.models.precision import PreparedNetwork
from SuperResolutionLib.models.precision.onednn import why_not

CPU = torch.device("cpu")
NETWORKS = {
    "compact": lambda: CompactNet(4, 32, 1),
    "compact that sees neighbours": lambda: CompactNet(2, 32, 1, neighbours=2),
    "rrdb": lambda: RRDBNet(2, 32, 32, 1, "plain", "subpixel", "residual"),
    "rrdb of the paper": lambda: RRDBNet(2, 8, 8),
    "through the slices": lambda: ThroughPlaneNet(8, 32, 1, neighbours=2),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def network(request):
    torch.manual_seed(3)
    return request.param().eval()


def inputs_of(network):
    """Return what a network is called with: two images of 14 x 18."""
    torch.manual_seed(4)
    images = torch.rand(2, network.head.in_channels, 14, 18)
    if isinstance(network, ThroughPlaneNet):
        return images, 3.0, 0.9, row_places(14, 3.0), 0.02, 1.5
    return (images,)


@torch.inference_mode()
def test_the_image_is_the_networks_own_and_the_error_is_at_least_the_least(network):
    inputs = inputs_of(network)
    wary = NetworkWithError(network, new(network), multiple=2.0).eval()
    image, error = wary(*inputs).split(1, dim=1)
    assert torch.equal(image, network(*inputs)) and error.shape == image.shape
    assert 2 * UNIT * LEAST_ERROR <= error.min() < error.max()
    assert (wary.factor, wary.neighbours, wary.halo) == (network.factor, network.neighbours, network.halo)


@torch.inference_mode()
def test_the_error_of_far_brighter_voxels_grows_as_their_brightness(network):
    images, *told = inputs_of(network)
    wary = NetworkWithError(network, new(network)).eval()
    ten, twenty = (wary(share * 10 * images, *told)[:, 1].mean() for share in (1, 2))
    assert twenty < 2.5 * ten


@torch.inference_mode()
def test_it_sees_no_farther_than_the_network(network):
    inputs = inputs_of(network)
    wary = NetworkWithError(network, new(network)).eval()
    changed = inputs[0].clone()
    changed[..., -1] += 1
    moved = (wary(*inputs) != wary(changed, *inputs[1:])).flatten(0, 2).any(dim=0)
    factor = 1 if isinstance(network, ThroughPlaneNet) else network.factor
    assert len(moved) - int(moved.nonzero()[0]) <= factor * (network.halo + 1)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@torch.inference_mode()
def test_other_precisions_expect_about_the_same_error(network, precision):
    if precision == "int8" and why_not():
        pytest.skip(why_not())
    inputs = inputs_of(network)
    wary = NetworkWithError(network, new(network)).eval()
    prepared = PreparedNetwork(wary, CPU, precision, show=lambda call: call(*inputs)[:, :1])
    assert prepared.precision == precision
    exact, other = wary(*inputs)[:, 1], prepared(*inputs)[:, 1]
    assert (other / exact).log().square().mean().sqrt() < 0.1 * exact.log().std() + 0.02


@torch.inference_mode()
def test_an_exponent_below_one_draws_answers_together_about_the_unit(network):
    inputs = inputs_of(network)
    plain, drawn = (NetworkWithError(network, new(network).eval(), exponent) for exponent in (1.0, 0.5))
    drawn.error_head = plain.error_head
    torch.testing.assert_close(drawn(*inputs)[:, 1], UNIT * (plain(*inputs)[:, 1] / UNIT).sqrt())


def test_a_model_folder_gives_the_head_that_it_holds(write_bundle):
    model = read_model(write_bundle(weights=("fidelity", "error")))
    assert model.predicts_error
    network = model.load(0.0)
    wary = model.with_error(network, 0.0, 0.01)
    assert wary.predicts_error and wary.multiple == model.error_calibration.one_sd(0.01, 0.0)
    assert wary(torch.rand(1, 1, 8, 8)).shape == (1, 2, 16, 16)


def test_a_forged_head_or_one_of_another_network_is_refused_in_one_sentence(write_bundle):
    folder = write_bundle(
        weights={"fidelity": CompactNet(2, 4, 1).state_dict(), "error": new(CompactNet(2, 8, 1)).state_dict()}
    )
    model = read_model(folder)
    with pytest.raises(InputError, match=r"does not fit its network; get a fresh copy\.$"):
        model.with_error(model.load(0.0), 0.0, 0.0)
    path = folder / "models" / "error.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match="wrong SHA-256"):
        model.with_error(model.load(0.0), 0.0, 0.0)


@pytest.mark.parametrize(
    "calibration",
    [
        {"exponent": 1.0, "noise_percent": [0.0], "multiples": {"50": [0.7]}, "perceptual": 1.0},
        {"exponent": 1.0, "noise_percent": [0.0, 1.0], "multiples": {"68.27": [1.0]}, "perceptual": 1.0},
        {"exponent": 1.0, "noise_percent": [0.0], "multiples": {"68.27": [1.0]}},
        {"noise_percent": [0.0], "multiples": {"68.27": [1.0]}, "perceptual": 1.0},
        "none",
    ],
)
def test_a_calibration_that_is_none_is_refused(write_bundle, calibration):
    folder = write_bundle(weights=("fidelity", "error"), error_calibration=calibration)
    with pytest.raises(InputError, match="not a super-resolution model folder"):
        read_model(folder)


def test_a_calibration_goes_from_level_to_level_of_the_noise_and_grows_with_the_detail(write_bundle):
    told = {
        "exponent": 0.5,
        "noise_percent": [1.0, 3.0],
        "multiples": {"50": [0.5, 1.0], "68.27": [1.0, 2.0], "80": [1.5, 3.0], "95": [3.0, 5.0]},
        "perceptual": 1.5,
    }
    calibration = read_model(write_bundle(weights=("fidelity", "error"), error_calibration=told)).error_calibration
    assert calibration.one_sd(0.02, 0.0) == pytest.approx(1.5)
    assert calibration.one_sd(0.0, 0.0) == 1.0 and calibration.one_sd(0.2, 0.0) == 2.0
    assert calibration.one_sd(0.02, 1.0) == pytest.approx(2.25)
    assert calibration.within(0.03) == pytest.approx({"50": 0.5, "80": 1.5, "95": 2.5})
    assert calibration.described() == told
    assert not calibration.asks_for_samples and calibration.one_sd(0.02, 0.0, 5 * UNIT) == pytest.approx(1.5)


def test_from_scan_to_scan_errors_grow_with_the_level_by_a_power_of_its_own(write_bundle):
    told = {
        "exponent": 0.5,
        "noise_percent": [1.0],
        "multiples": {"50": [0.5], "68.27": [1.5], "80": [1.5], "95": [3.0]},
        "perceptual": 1.0,
        "level_exponent": 1.0,
    }
    model = read_model(write_bundle(weights=("fidelity", "error"), error_calibration=told))
    assert model.error_calibration.described() == told and model.error_calibration.asks_for_samples
    network, samples = model.load(0.0), torch.rand(2, 1, 12, 12)
    level, _ = NetworkWithError(network, model.with_error(network, 0.0, 0.0).error_head).eval().typical(samples)
    aware = model.with_error(network, 0.0, 0.0, lambda: samples)
    # Where the head answers the level itself, the multiple of it is expected.
    assert aware.multiple * UNIT * (level / UNIT) ** 0.5 == pytest.approx(1.5 * level)


def test_what_is_typical_is_that_of_what_is_not_dark():
    network = CompactNet(2, 4, 1).eval()
    wary = NetworkWithError(network, new(network)).eval()
    wary.forward = lambda answer: answer
    answer = torch.tensor([[[[0.0, 0.2, 0.5], [0.0, 0.2, 0.5]], [[9.0, 0.04, 0.09], [9.0, 0.04, 0.09]]]])
    # The gradients are 0.2, 0.25 and 0.3.
    assert wary.typical(answer) == pytest.approx((0.06, (0.26 * 0.31) ** 0.5))
    assert wary.typical(answer[:, :, :, :2] * torch.tensor([0.1, 1.0])[None, :, None, None])[0] == pytest.approx(0.6)


def test_errors_are_larger_where_the_result_is_steeper_than_is_typical():
    network = CompactNet(2, 4, 1)
    wary = NetworkWithError(network, new(network), exponent=0.5, multiple=2.0, typical_steepness=0.11)
    image = torch.zeros(1, 1, 4, 12)
    image[..., 4:8] = torch.arange(4) * 0.1
    image[..., 8:] = 0.3
    errors = wary.by_steepness(torch.full_like(image, UNIT), image)[0, 0, 1] / (2 * UNIT)
    assert errors[5] == pytest.approx(1.0) and errors[[0, 11]] == pytest.approx((0.01 / 0.11) ** 0.5)
    plain = NetworkWithError(network, new(network), exponent=0.5)
    assert torch.equal(plain.by_steepness(image, image), image)
