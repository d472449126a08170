"""Sharp scans come on the grid that the factor asks for."""

import pytest

from SuperResolutionLib.errors import InputError
from Training.degradation.learned.slices import read_sharp_slices, read_slices

FACTOR = 2


def test_finer_sharp_scans_are_brought_to_the_grid_and_coarser_ones_refused(tmp_path, textured_slices, scan):
    scan(tmp_path / "sharp.nii.gz", textured_slices(0, count=3, size=60), 0.8)
    slices, spacing = read_slices(tmp_path / "sharp.nii.gz")
    assert slices.shape == (3, 60, 60) and spacing == pytest.approx((0.8, 0.8))
    assert read_sharp_slices([tmp_path / "sharp.nii.gz"], (1.0, 1.0))[0].shape == (3, 48, 48)
    with pytest.raises(InputError, match=r"0\.80 mm, coarser than the 0\.50 mm"):
        read_sharp_slices([tmp_path / "sharp.nii.gz"], (0.5, 0.5))
