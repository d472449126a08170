"""What a scan is, and who says so."""

from dataclasses import replace

import pytest

from SuperResolutionLib.acquisition.survey import slice_axis, survey
from SuperResolutionLib.geometry.volume import refined_matrix


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_series_says_which_axis_lies_across_the_slices_whatever_the_spacings(phantom, axis):
    assert slice_axis(phantom) == 2
    volume = replace(phantom, slice_axis=axis)
    seen = survey(volume)
    assert (slice_axis(volume), seen.slice_axis, seen.slice_axis_from) == (axis, axis, "the series")


def test_the_thickness_of_a_series_belongs_to_its_own_axis(make_phantom, phantom):
    cubic = refined_matrix(phantom.ijk_to_ras, (1, 1, 3))
    volume = replace(make_phantom((9, 20, 22), matrix=cubic), slice_thickness=1.5, slice_axis=2)
    seen = survey(volume)
    assert (seen.thickness, seen.thickness_from) == (1.5, "the file")
    across = seen.across(1, "the user")
    assert (across.slice_axis_from, across.thickness, across.thickness_from) == ("the user", 1.0, "the slice spacing")
