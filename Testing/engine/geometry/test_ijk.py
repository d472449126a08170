"""Three values along i, j and k: as many as there are axes, and another one along one of them."""

import numpy as np
import pytest

from SuperResolutionLib.geometry.ijk import ijk, with_along


def test_three_values_of_any_kind_become_a_tuple():
    assert ijk([4, 5, 6]) == ijk(value for value in (4, 5, 6)) == ijk(np.array([4, 5, 6])) == (4, 5, 6)


@pytest.mark.parametrize("values", [(), (4, 5), (4, 5, 6, 7)], ids=len)
def test_fewer_or_more_values_than_axes_are_refused(values):
    with pytest.raises(ValueError, match="unpack"):
        ijk(values)


@pytest.mark.parametrize(("axis", "expected"), [(0, (9, 5, 6)), (1, (4, 9, 6)), (2, (4, 5, 9))])
def test_a_value_is_replaced_along_its_axis_alone(axis, expected):
    values = (4, 5, 6)
    assert with_along(values, axis, 9) == expected
    assert values == (4, 5, 6)
