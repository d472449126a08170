"""The forecast agrees with the engine, reads well, and learns its times from runs."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
pytest.importorskip("PySide6", reason="the .ui is loaded with PySide6")
from panel_bench import StandInSettings  # noqa: E402
from SuperResolutionWidgets.Forecast.Forecaster import Forecaster  # noqa: E402
from SuperResolutionWidgets.Forecast.RunTimes import RunTimes  # noqa: E402
from SuperResolutionWidgets.Forecast.TimeLeft import TimeLeft  # noqa: E402
from SuperResolutionWidgets.Forecast.Workload import Workload  # noqa: E402

from SuperResolutionLib.acquisition.acquired_band import AcquiredBand
from SuperResolutionLib.acquisition.survey import survey
from SuperResolutionLib.errors import InputError
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import Volume
from SuperResolutionLib.upscaling.plan import plan
from SuperResolutionLib.upscaling.request import UpscaleRequest
from SuperResolutionLib.upscaling.upscale import upscale


def volume(dimensions, spacing, dtype=np.int16):
    # A view of one number: a large volume without its memory.
    return Volume(np.broadcast_to(dtype(1), dimensions[::-1]), np.diag([*spacing, 1.0]))


def prospect(scan, acquired=None, companions=0, settings=None, **request):
    times = RunTimes(StandInSettings() if settings is None else settings, cores=2)
    # All its voxels are equal, which is no matter here.
    seen = replace(survey(scan), flaw="")
    if acquired is not None:
        shares = tuple(stored / coarser for stored, coarser in zip(scan.spacing, acquired))
        samples = tuple(round(size * share) for size, share in zip(scan.dimensions, shares))
        seen = replace(seen, band=AcquiredBand(seen.slice_axis, scan.spacing, shares, samples))
    return Forecaster(times).prospect(plan(seen, UpscaleRequest(**request)), companions)


def text(*arguments, **request):
    return prospect(*arguments, **request).text().replace("\u00a0", " ")


def test_it_tells_dimensions_spacing_size_time_and_memory():
    lines = text(volume((256, 256, 176), (0.96, 0.96, 1.0)), factor=4).splitlines()
    assert lines[0] == "1024 × 1024 × 176 voxels at 0.24 × 0.24 × 1.0 mm, 369 MB"
    assert lines[1] == "Takes about 3 min (a first guess) and 1.4 GB of memory"


@pytest.mark.parametrize(
    "dimensions, dtype, size",
    [
        ((512, 512, 400), np.int16, "3.4 GB"),
        ((512, 512, 400), np.float32, "6.7 GB"),
        ((2, 2, 2), np.uint8, "128 bytes"),
    ],
)
def test_the_size_comes_in_a_unit_that_reads_well(dimensions, dtype, size):
    assert text(volume(dimensions, (1, 1, 1), dtype), factor=4).splitlines()[0].endswith(size)


def test_the_coarse_axis_keeps_its_slices():
    forecast = text(volume((20, 30, 40), (3, 1, 1)), factor=2)
    assert forecast.startswith("20 × 60 × 80 voxels at 3.0 × 0.5 × 0.5 mm")


def test_a_region_counts_only_the_voxels_that_it_touches():
    region = (9.6, 9.6, 20, 19.4, 19.4, 40)
    assert text(volume((256, 256, 176), (1, 1, 2)), factor=2, region=region).startswith("20 × 20 × 11 voxels")


def test_a_region_outside_is_refused():
    with pytest.raises(InputError, match="does not touch"):
        prospect(volume((8, 8, 8), (1, 1, 2)), factor=2, region=(90, 90, 90, 99, 99, 99))


def test_what_the_engine_refuses_is_refused_in_its_words():
    with pytest.raises(InputError, match="more than the model"):
        prospect(volume((20, 20, 8), (1, 1, 2)), factor=None, spacing=0.3, model="mri-x2-compact")


@pytest.mark.parametrize("request_fields", [{"factor": 2}, {"factor": 4}, {"factor": None, "spacing": 0.37}])
@pytest.mark.parametrize("region", [None, (2, 2, 2, 9.5, 8.1, 5)])
def test_the_engine_makes_what_was_foretold(request_fields, region):
    k, j, i = np.mgrid[0:4, 0:16, 0:14]
    scan = Volume((100 * np.hypot(i - 6, j - 7) + k).astype(np.int16), np.diag([0.9, 0.8, 2.5, 1]))
    request = UpscaleRequest(**request_fields, region=region, device="cpu", quality="fast", as_stored=True)
    foretold = Forecaster(RunTimes(StandInSettings())).prospect(plan(survey(scan), request))
    result = upscale(scan, request).volume
    assert foretold.dimensions == result.dimensions
    np.testing.assert_allclose(foretold.spacing, result.spacing)
    assert foretold.resultBytes == result.voxels.nbytes
    assert not foretold.addsSlices


def test_companions_need_memory():
    scan = volume((256, 256, 100), (1, 1, 2))
    voxels = 512 * 512 * 100
    assert prospect(scan, None, 2, factor=2).memoryBytes - prospect(scan, factor=2).memoryBytes == 2 * 3 * 4 * voxels


def test_eight_runs_of_the_network_count_eight_times():
    scan = volume((256, 256, 100), (1, 1, 2))
    once = prospect(scan, factor=2).workload.megavoxels
    assert prospect(scan, factor=2, quality="best").workload.megavoxels == 8 * once


def test_a_zero_filled_scan_is_foretold_for_the_network_that_starts_from_its_band():
    scan = volume((256, 256, 10), (0.5, 0.5, 3))
    assert prospect(scan, (1.0, 1.0, 3), factor=2).workload.factor == 4
    assert prospect(scan, factor=2).workload.factor == 2


WORK = Workload("auto", "standard", 4, 100.0)


def test_before_the_first_run_the_time_is_a_guess_by_cores():
    two, eight, many = (RunTimes(StandInSettings(), cores=cores).seconds(WORK) for cores in (2, 8, 64))
    assert two == (28.0, False)
    assert eight == many == (13.0, False)


def test_the_larger_network_is_guessed_to_take_longer():
    times = RunTimes(StandInSettings(), cores=2)
    assert times.seconds(Workload("auto", "standard", 4, 100.0, compact=False)) == (88.0, False)
    scan = volume((64, 64, 10), (1.0, 1.0, 3.0))
    assert not prospect(scan, factor=4).workload.compact
    assert prospect(scan, factor=4, quality="fast").workload.compact


def test_new_slices_are_guessed_to_take_the_time_of_their_own_network():
    times = RunTimes(StandInSettings(), cores=2)
    made = prospect(volume((64, 64, 10), (1.0, 1.0, 4.0)), factor=None, isotropic=True).workload
    assert made.newSlices and made.megavoxels == pytest.approx(0.16384)
    assert times.seconds(made) == (pytest.approx(8 + 4.3 * 0.16384), False)
    both = prospect(volume((64, 64, 10), (1.0, 2.0, 4.0)), factor=None, isotropic=True).workload
    assert times.seconds(both)[0] > 8 + 4.3 * both.megavoxels


def test_adapting_takes_longer_and_is_learned_on_its_own():
    times = RunTimes(StandInSettings(), cores=2)
    adapted = Workload("auto", "standard", 4, 100.0, adapted=True)
    assert times.seconds(adapted) == (128.0, False)
    times.remember(adapted, seconds=305.0, engineSeconds=300.0)
    assert times.seconds(adapted) == (305.0, True)
    assert not times.seconds(WORK)[1]


def test_the_time_is_that_of_the_last_run_of_its_kind():
    times = RunTimes(StandInSettings(), cores=2)
    times.remember(WORK, seconds=65.0, engineSeconds=60.0)
    assert times.seconds(WORK) == (65.0, True)
    assert times.seconds(Workload("auto", "standard", 4, 200.0)) == (125.0, True)
    for other in (("cpu", "standard", 4), ("auto", "fast", 4), ("auto", "standard", 2)):
        assert times.seconds(Workload(*other, 100.0))[1] is False


def test_the_times_outlive_the_application():
    settings = StandInSettings()
    RunTimes(settings).remember(WORK, 65.0, 60.0)
    assert all(isinstance(value, str) for value in settings.values())
    assert RunTimes(settings).seconds(WORK) == (65.0, True)


def test_a_tiny_run_teaches_the_start_only():
    times = RunTimes(StandInSettings(), cores=2)
    times.remember(Workload("auto", "standard", 4, 0.1), seconds=5.0, engineSeconds=2.0)
    assert times.seconds(WORK) == (23.0, False)


@pytest.mark.parametrize("stored", ["{", "[]", "3", json.dumps({"start": "soon"}), json.dumps({"paces": {"x": None}})])
def test_settings_that_somebody_edited_are_not_believed(stored):
    times = RunTimes(StandInSettings({RunTimes.KEY: stored}), cores=2)
    assert times.seconds(WORK) == (28.0, False)


def clock(*times):
    return iter(times).__next__


def test_the_time_left_follows_the_pace():
    left = TimeLeft(clock(0, 10, 20))
    assert left.text(0, 100) == ""
    assert left.text(10, 100) == "2 min left"
    assert left.text(80, 100) == "5 s left"


def test_loading_before_the_first_step_does_not_count():
    left = TimeLeft(clock(1000, 1010))
    left.text(5, 10)
    assert left.text(6, 10) == "40 s left"


def test_another_part_of_a_run_has_its_own_pace():
    left = TimeLeft(clock(0, 100, 101, 103))
    left.text(0, 300)
    assert left.text(100, 300) == "3 min left"
    assert left.text(0, 60) == ""
    assert left.text(20, 60) == "4 s left"


def test_hours_are_told_as_hours():
    left = TimeLeft(clock(0, 60))
    left.text(0, 1000)
    assert left.text(5, 1000) == "3.3 h left"


def test_a_long_time_without_progress_tells_nothing():
    left = TimeLeft(clock(0, 500))
    left.text(0, 10)
    assert left.text(0, 10) == ""


def test_a_fusion_is_foretold_by_its_grid_and_the_number_of_its_scans_and_learns_from_runs():
    times = RunTimes(StandInSettings(), cores=2)
    grid = Grid(np.diag([0.5, 0.5, 0.5, 1]), (200, 200, 200))
    scans = [volume((200, 200, 25), (0.5, 0.5, 4.0))] * 3
    two, three = (Forecaster(times).prospectOfFusion(grid, scans[:count], "cpu") for count in (2, 3))
    lines = three.text().replace("\u00a0", " ").splitlines()
    assert lines[0] == "200 × 200 × 200 voxels at 0.5 × 0.5 × 0.5 mm, 16 MB"
    assert lines[1] == "Takes about 2 min (a first guess) and 2.0 GB of memory"
    assert two.seconds < three.seconds and two.memoryBytes == three.memoryBytes
    times.remember(three.workload, 130.0, 120.0)
    again = Forecaster(times).prospectOfFusion(grid, scans[:2], "cpu")
    assert again.measured and again.seconds == pytest.approx(10 + 80)
