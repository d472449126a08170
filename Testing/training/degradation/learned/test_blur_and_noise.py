"""A learned degradation is an operator, and survives its file, which is plain JSON."""

import json

import pytest
import torch

from SuperResolutionLib.acquisition.operators import area_average
from SuperResolutionLib.errors import InputError
from Training.degradation.learned.blur_and_noise import LearnedDegradation

FACTOR = 2


def test_widths_are_given_in_mm_where_the_spacing_is_known(degradation):
    rows, columns = degradation().fwhm_voxels
    assert degradation().fwhm_mm == pytest.approx((rows, 1.5 * columns))


@pytest.mark.parametrize("factor", [2, 3])
def test_the_operator_keeps_the_half_voxel_rule(factor, degradation):
    ramp = torch.arange(16.0 * factor).expand(1, 1, 16 * factor, -1)
    coarse = degradation(factor=factor).operator(ramp, factor)
    torch.testing.assert_close(coarse[..., 4:-4], area_average(ramp, factor)[..., 4:-4])
    torch.testing.assert_close(degradation(factor=factor).operator(ramp.mT, factor), coarse.mT, atol=1, rtol=0)


def test_a_box_kernel_is_the_area_average(textured_slices):
    taps = (0.0,) * 4 + (0.5, 0.5) + (0.0,) * 4
    image = textured_slices(0, count=2, size=32)[:, None]
    torch.testing.assert_close(LearnedDegradation(taps, taps, 2, 0.0).operator(image, 2), area_average(image, 2))


def test_the_operator_of_another_factor_is_refused(degradation):
    with pytest.raises(InputError, match="learned for factor 2, not 4"):
        degradation().operator(torch.zeros(1, 1, 16, 16), 4)


def test_a_degradation_survives_its_file_which_is_plain_json(file, degradation):
    assert LearnedDegradation.load(file) == degradation()
    content = json.loads(file.read_text())
    assert content["factor"] == 2 and len(content["rows"]) == 10 and len(content["fwhm_mm"]) == 2


def test_files_that_hold_no_degradation_are_refused_in_one_sentence(tmp_path, file):
    other = tmp_path / "other.json"
    content = json.loads(file.read_text())
    for text in ("not json", "[]", "{}", json.dumps({**content, "rows": None})):
        other.write_text(text)
        with pytest.raises(InputError, match="not a learned degradation"):
            LearnedDegradation.load(other)
    with pytest.raises(InputError, match="no file"):
        LearnedDegradation.load(tmp_path / "absent.json")


def test_kernels_that_are_no_blur_are_refused(file):
    content = json.loads(file.read_text())
    wrong = {"rows": [0.1] * 9, "columns": [0.2] * 10, "noise": -1, "factor": 3}
    for key, value in wrong.items():
        file.write_text(json.dumps({**content, key: value}))
        with pytest.raises(InputError, match="learn it again"):
            LearnedDegradation.load(file)
    lopsided = [0.19, *[0.09] * 9]
    file.write_text(json.dumps({**content, "rows": lopsided}))
    with pytest.raises(InputError, match="not symmetric"):
        LearnedDegradation.load(file)
