"""The forecast agrees with the engine, and reads well."""

import numpy as np
import pytest
from SuperResolutionWidgets.Forecast import Forecast
from SuperResolutionWidgets.TimeLeft import TimeLeft

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.volume import Volume


def volume(dimensions, spacing, dtype=np.int16):
    # A view of one number: a large volume without its memory.
    return Volume(np.broadcast_to(dtype(1), dimensions[::-1]), np.diag([*spacing, 1.0]))


def test_it_tells_dimensions_spacing_and_size():
    text = Forecast().text(volume((256, 256, 176), (0.96, 0.96, 1.0)), 4)
    assert text == "1024 × 1024 × 176 voxels at 0.24 × 0.24 × 1.0 mm, 369 MB"


@pytest.mark.parametrize(
    "dimensions, dtype, ending",
    [
        ((512, 512, 400), np.int16, "3.4 GB"),
        ((512, 512, 400), np.float32, "6.7 GB"),
        ((2, 2, 2), np.uint8, "128 bytes"),
    ],
)
def test_the_size_comes_in_a_unit_that_reads_well(dimensions, dtype, ending):
    assert Forecast().text(volume(dimensions, (1, 1, 1), dtype), 4).endswith(ending)


def test_the_coarse_axis_keeps_its_slices():
    assert Forecast().text(volume((20, 30, 40), (3, 1, 1)), 2).startswith("20 × 60 × 80 voxels at 3.0 × 0.5 × 0.5 mm")


def test_a_region_counts_only_the_voxels_that_it_touches():
    text = Forecast().text(volume((256, 256, 176), (1, 1, 2)), 2, (9.6, 9.6, 20, 19.4, 19.4, 40))
    assert text.startswith("20 × 20 × 11 voxels")


def test_a_region_outside_is_refused():
    with pytest.raises(InputError, match="does not touch"):
        Forecast().text(volume((8, 8, 8), (1, 1, 2)), 2, (90, 90, 90, 99, 99, 99))


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


def test_hours_are_told_as_hours():
    left = TimeLeft(clock(0, 60))
    left.text(0, 1000)
    assert left.text(5, 1000) == "3.3 h left"


def test_a_long_time_without_progress_tells_nothing():
    left = TimeLeft(clock(0, 500))
    left.text(0, 10)
    assert left.text(0, 10) == ""
