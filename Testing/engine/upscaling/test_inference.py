"""Tiled inference equals whole-slice inference, and survives a device that is too small."""

import copy
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from SuperResolutionLib import UpscaleRequest, upscale
from SuperResolutionLib.errors import Cancelled
from SuperResolutionLib.models.networks import CompactNet, RRDBNet, with_told
from SuperResolutionLib.models.networks.error_head import NetworkWithError, new_error_head
from SuperResolutionLib.upscaling.inference import SMALLEST_TILE, SliceInference

CPU = torch.device("cpu")


def lively(network):
    """Scale random weights up so that far pixels matter, too."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 1.2 / max(1, parameter[0].numel()) ** 0.5)
    return network.eval()


def with_error(network):
    """Return a network with a random error head."""
    torch.manual_seed(6)
    return NetworkWithError(network, new_error_head(network)).eval()


class FarNetwork(torch.nn.Module):
    """Every pixel depends on nothing but the eight pixels that lie exactly ``halo`` away from it."""

    def __init__(self, halo, factor=2):
        super().__init__()
        self.halo, self.factor = halo, factor
        kernel = torch.zeros(2 * halo + 1, 2 * halo + 1)
        kernel[::halo, ::halo] = torch.arange(9.0).reshape(3, 3)
        self.kernel = torch.nn.Parameter(kernel[None, None], requires_grad=False)

    def forward(self, x):
        return F.interpolate(F.conv2d(x, self.kernel, padding=self.halo), scale_factor=self.factor)


class CountingNetwork(FarNetwork):
    """Counts the pixels that pass through it and every copy of it."""

    counted = 0

    def forward(self, x):
        type(self).counted += x.numel()
        return super().forward(x)


class SmallDevice(torch.nn.Module):
    """A network on a device that holds ``limit`` x ``limit`` pixels."""

    factor, halo = 2, 3

    def __init__(self, limit, message="CUDA out of memory. Tried to allocate 20.00 MiB"):
        super().__init__()
        self.limit, self.message = limit, message

    def forward(self, x):
        if max(x.shape[-2:]) > self.limit:
            raise RuntimeError(self.message)
        return F.interpolate(F.avg_pool2d(x, 7, stride=1, padding=3), scale_factor=2)


def head(count, height, width, empty, border):
    """Random slices with an empty border of (top, bottom, left, right) pixels."""
    slices = torch.full((count, 1, height, width), empty)
    top, bottom, left, right = border
    inside = slices[..., top : height - bottom, left : width - right]
    inside.copy_(torch.rand(inside.shape))
    return slices


NETWORKS = {
    "compact": lambda: CompactNet(4, 8, 2),
    "compact dilated": lambda: CompactNet(2, 8, 2, dilation=3),
    "RRDB subpixel": lambda: RRDBNet(2, 4, 4, upsampling="subpixel", output="residual"),
    "RRDB shuffle": lambda: RRDBNet(4, 4, 4, upsampling="pixel_shuffle", output="tanh"),
    "far": lambda: FarNetwork(5),
}


@pytest.mark.parametrize("size", [(61, 83), (1, 40), (50, 2), (64, 64)], ids=str)
@pytest.mark.parametrize("tile", [7, 16, 30, 256])
@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_give_what_the_whole_slice_gives(name, tile, size):
    network = NETWORKS[name]()
    network = network if name == "far" else lively(network)
    slices = torch.rand(2, 1, *size)
    if network.halo > 10 and tile == 7:
        slices = slices[..., :40, :30]
    with torch.inference_mode():
        whole = network(slices)
    image, spread = SliceInference(network, CPU, tile=tile)(slices)
    assert image.shape == whole.shape and image.dtype == torch.float32
    torch.testing.assert_close(image, whole, atol=1e-5 * float(whole.abs().max().clamp(min=1)), rtol=0)
    assert not spread.any()


@pytest.mark.parametrize("border", [(20, 9, 0, 31), (0, 0, 0, 0), (25, 25, 20, 60), (33, 28, 41, 42)], ids=str)
@pytest.mark.parametrize("empty", [0.0, -0.31])
@pytest.mark.parametrize("name", NETWORKS)
def test_skipping_empty_borders_changes_nothing(name, empty, border):
    network = NETWORKS[name]()
    network = network if name == "far" else lively(network)
    slices = head(2, 61, 83, empty, border)
    with torch.inference_mode():
        whole = network(slices)
    image, _ = SliceInference(network, CPU, tile=32, empty=empty)(slices)
    torch.testing.assert_close(image, whole, atol=1e-5 * float(whole.abs().max().clamp(min=1)), rtol=0)


def test_empty_slices_take_the_networks_answer_to_an_empty_slice():
    network = lively(CompactNet(2, 4, 1))
    blank = torch.full((3, 1, 20, 30), 0.25)
    with torch.inference_mode():
        expected = network(blank)
    torch.testing.assert_close(SliceInference(network, CPU, empty=0.25)(blank)[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("empty", [0.0, -0.31])
def test_a_network_that_sees_neighbours_skips_what_is_empty_in_all_of_them(empty):
    network = lively(CompactNet(2, 8, 2, neighbours=1))
    stack = head(2, 41, 63, empty, (15, 9, 0, 31))
    stack[1, :, 4, 55] = 0.7
    slices = with_told(torch.cat([stack[:1], stack[1:], stack[:1]], dim=1), 0.03, 1.5)
    with torch.inference_mode():
        whole = network(slices)
    image, _ = SliceInference(network, CPU, tile=32, empty=empty)(slices)
    torch.testing.assert_close(image, whole, atol=1e-5 * float(whole.abs().max().clamp(min=1)), rtol=0)


def test_empty_borders_are_skipped_and_the_empty_slice_is_computed_once():
    CountingNetwork.counted = 0
    inference = SliceInference(CountingNetwork(3), CPU, empty=0.0)
    slices = head(1, 100, 100, 0.0, (40, 40, 40, 40))
    for _ in range(5):
        inference(slices)
    assert CountingNetwork.counted <= 100 * 100 + 5 * 32 * 32  # 20 filled pixels and twice the halo on both sides


def test_an_empty_value_that_differs_from_the_border_skips_nothing():
    network = lively(CompactNet(2, 4, 1))
    slices = head(1, 40, 40, 0.1, (9, 9, 9, 9))
    with torch.inference_mode():
        whole = network(slices)
    torch.testing.assert_close(SliceInference(network, CPU, empty=0.0)(slices)[0], whole, atol=1e-5, rtol=0)


def test_the_ensemble_is_the_mean_of_the_eight_flips_and_turns_in_the_expected_error_too():
    network = with_error(lively(CompactNet(2, 4, 1)))
    slices = torch.rand(2, 1, 21, 34)
    answers = []
    with torch.inference_mode():
        for turns in range(4):
            for mirrored in (False, True):
                seen = torch.rot90(slices, turns, (-2, -1))
                answer = network(seen.flip(-2) if mirrored else seen)
                answers.append(torch.rot90(answer.flip(-2) if mirrored else answer, -turns, (-2, -1)))
    answer = torch.cat(SliceInference(network, CPU, ensemble=True, tile=16)(slices), dim=1)
    torch.testing.assert_close(answer, torch.stack(answers).mean(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("turn", [lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2)])
def test_the_ensemble_turns_with_the_image(turn):
    network = lively(CompactNet(2, 4, 1))
    slices = torch.rand(1, 1, 19, 26)
    upright, turned = (SliceInference(network, CPU, ensemble=True)(image) for image in (slices, turn(slices)))
    torch.testing.assert_close(turned[0], turn(upright[0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("empty", [None, 0.25])
def test_an_expected_error_does_not_depend_on_the_tiles_and_leaves_the_image_as_it_is(empty):
    plain = lively(CompactNet(2, 4, 1))
    slices = torch.rand(2, 1, 40, 52)
    slices[:, :, :8] = slices[..., 30:] = 0.25
    with torch.inference_mode():
        whole = with_error(plain)(slices)
        image, error = SliceInference(with_error(plain), CPU, tile=9, empty=empty)(slices)
    torch.testing.assert_close(torch.cat([image, error], dim=1), whole, atol=1e-6, rtol=1e-4)
    assert torch.equal(image, SliceInference(plain, CPU, tile=9, empty=empty)(slices)[0])
    assert error.min() > 0 and error.std() > 0


@pytest.mark.parametrize(
    "message", ["CUDA out of memory.", "DefaultCPUAllocator: can't allocate memory", "Out of Memory"]
)
def test_when_memory_runs_out_tiles_get_smaller_and_a_warning_says_so(message):
    network, slices = SmallDevice(150, message), torch.rand(1, 1, 300, 200)
    inference = SliceInference(network, CPU, tile=256)
    image, _ = inference(slices)
    torch.testing.assert_close(image, SmallDevice(9999)(slices))
    assert inference.tile == 128
    assert len(inference.warnings) == 1 and "tiles were made smaller" in inference.warnings[0]
    inference(slices)
    assert len(inference.warnings) == 1  # the second slice starts with the tile that fitted


def test_memory_that_runs_out_on_the_smallest_tile_is_an_error():
    inference = SliceInference(SmallDevice(20), CPU)
    with pytest.raises(RuntimeError, match="out of memory"):
        inference(torch.rand(1, 1, 300, 300))
    assert inference.tile == SMALLEST_TILE


def test_a_gpu_that_is_too_small_for_any_tile_hands_over_to_the_cpu(monkeypatch):
    class SmallGpu(SmallDevice):
        place = "meta"

        def to(self, device, **options):
            copied = copy.deepcopy(self)
            copied.place = torch.device(device).type
            return copied

        def forward(self, x):
            self.limit = 9999 if self.place == "cpu" else 20
            return super().forward(torch.zeros(x.shape) if x.device.type == "meta" else x)

    slices = torch.rand(1, 1, 100, 90)
    inference = SliceInference(SmallGpu(0), torch.device("meta"), precision="float32")
    image, _ = inference(slices)
    torch.testing.assert_close(image, SmallDevice(9999)(slices))
    assert inference.device == CPU
    assert "the CPU went on" in inference.warnings[-1]


def test_other_errors_of_the_network_are_not_hidden():
    inference = SliceInference(SmallDevice(80, "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), CPU)
    with pytest.raises(RuntimeError, match="cuDNN error"):
        inference(torch.rand(1, 1, 90, 90))  # smaller tiles would have passed
    assert inference.warnings == []


def test_the_caller_can_stop_after_any_tile():
    calls = []

    def stop_at_the_third():
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    inference = SliceInference(FarNetwork(2), CPU, tile=10, on_tile=stop_at_the_third)
    with pytest.raises(Cancelled):
        inference(torch.rand(1, 1, 50, 50))
    assert (inference.tiles, len(calls)) == (3, 3)


def test_the_network_that_was_given_is_not_changed():
    network = lively(CompactNet(2, 4, 1))
    before = copy.deepcopy(network.state_dict())
    SliceInference(network, CPU, "bfloat16")(torch.rand(1, 1, 12, 12))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_half_precision_on_the_cpu_is_close_to_float32():
    network = CompactNet(2, 16, 2).eval()
    slices = torch.rand(1, 1, 40, 40)
    exact, half = (SliceInference(network, CPU, precision)(slices)[0] for precision in ("float32", "bfloat16"))
    assert half.dtype == torch.float32
    assert (half - exact).abs().max() < 0.02


class Crossings(TorchFunctionMode):
    """Counts what could move an array between the computer's memory and a device's."""

    def __init__(self):
        super().__init__()
        self.counted = Counter()

    def __torch_function__(self, function, types, arguments=(), options=None):
        name = getattr(function, "__name__", "")
        if name in ("cpu", "to", "numpy", "from_numpy", "item", "tolist", "__bool__", "__float__"):
            kept = name == "to" and arguments[1:] and isinstance(arguments[1], torch.dtype)
            self.counted["kept" if kept else name] += 1
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_slice_goes_to_the_device_and_comes_back_once_in_the_scans_type(make_phantom, single_precision, dtype):
    """No device but the CPU is needed to count: on any other, each of these calls is a copy."""
    counts = []
    for slices in (2, 2, 6):  # the first one measures and remembers, too
        volume = make_phantom((slices, 40, 44), dtype)
        with Crossings() as crossings:
            upscale(volume, UpscaleRequest(factor=2, quality="fast", as_stored=True))
        counts.append(crossings.counted)
    each = {name: (counts[2][name] - counts[1][name]) / 4 for name in counts[2]}
    # The network's input and the measured slice for consistency; one result; whether there is anything to add.
    assert each["to"] == 2
    assert each["cpu"] == each["numpy"] == 1
    assert each.get("from_numpy", 0) <= 1
    assert sum(each.get(name, 0) for name in ("item", "tolist", "__bool__", "__float__")) <= 6
