"""A folder or file that holds several volumes: what tells them apart is named, and what can be chosen is."""

import numpy as np
import pydicom
import pytest

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.reading import dicom_files, dicom_series_in
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.files.writing import write_volume


def refusal(path, **choice):
    """Return the one sentence by which reading a path is refused."""
    with pytest.raises(InputError, match=r"^[^\n]+; [^\n]+\.$") as caught:
        read_volume(path, **choice)
    return str(caught.value)


@pytest.mark.parametrize(
    "first, second, words",
    [
        ({"EchoTime": 20}, {"EchoTime": 80}, "2 echoes (20 and 80 ms)"),
        ({"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}, "2 b-values (0 and 800 s/mm2)"),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}, "2 time points (1 and 2)"),
        ({"TriggerTime": 10}, {"TriggerTime": 400}, "2 heart phases (10 and 400)"),
        ({"AcquisitionTime": "120000"}, {"AcquisitionTime": "120030"}, "2 acquisition times"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "2 image types"),
        ({"InversionTime": 100}, {"InversionTime": 900}, "2 inversion times (100 and 900 ms)"),
        ({"FlipAngle": 3}, {"FlipAngle": 17}, "2 flip angles (3 and 17 degrees)"),
        ({"KVP": 80}, {"KVP": 140}, "2 tube voltages (80 and 140 kV)"),
        ({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B70f"}, "2 kernels (B30f and B70f)"),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, "2 acquisitions (1 and 2)"),
        ({}, {}, "which nothing but their numbers tells apart, so several volumes"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
@pytest.mark.parametrize("order", ["by volume", "by slice"])
def test_two_volumes_in_one_series_are_told_apart(write_axial, tmp_path, first, second, words, order):
    heights = [0, 3, 6, 0, 3, 6] if order == "by volume" else [0, 0, 3, 3, 6, 6]
    is_second = (lambda n: n >= 3) if order == "by volume" else (lambda n: n % 2 == 1)
    write_axial(tmp_path, heights, each=lambda n: second if is_second(n) else first)
    assert words in refusal(tmp_path)


def test_two_echoes_at_two_times_are_both_named(write_axial, tmp_path):
    kinds = [{"EchoTime": echo, "TemporalPositionIdentifier": time} for echo in (20, 80) for time in (1, 2)]
    write_axial(tmp_path, [0, 3] * 4, each=lambda n: kinds[n // 2])
    assert "2 echoes (20 and 80 ms) and 2 time points (1 and 2)" in refusal(tmp_path)
    assert "2 time points" in refusal(tmp_path, echo=1)


@pytest.mark.parametrize(
    "tag, vr, values",
    [
        (0x0019100C, "IS", ("0", "1000")),
        (0x00431039, "IS", (["1000000000", "8", "0", "0"], ["1000001000", "8", "0", "0"])),
        (0x20011003, "FL", (0.0, 1000.0)),
        (0x20011003, "UN", (np.float32(0).tobytes(), np.float32(1000).tobytes())),
        (0x0019100C, "UN", (b"0 ", b"1000")),
        (0x00651009, "FD", (0.0, 1000.0)),
    ],
    ids=["Siemens", "GE", "Philips", "Philips, implicit", "Siemens, implicit", "UIH"],
)
def test_b_values_are_found_where_makers_keep_them(write_axial, tmp_path, tag, vr, values):
    write_axial(tmp_path, [0, 3, 0, 3])
    for number, path in enumerate(sorted(tmp_path.iterdir())):
        data = pydicom.dcmread(path)
        data.add_new(tag, vr, values[number // 2])
        data.save_as(path)
    assert "2 b-values (0 and 1000 s/mm2)" in refusal(tmp_path)


def test_what_differs_is_named_where_it_does_not_tell_all_images_apart(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3] * 4, each=lambda n: {"DiffusionBValue": [0.0, 1500.0, 1500.0, 1500.0][n // 2]})
    assert "up to 4 images at one position, of 2 b-values (0 and 1500 s/mm2), so several" in refusal(tmp_path)
    (tmp_path / "006.dcm").unlink()
    assert "of 2 b-values" in refusal(tmp_path)


def test_an_image_that_is_there_twice_is_named_with_both_files(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3, 6])
    (tmp_path / "copy.dcm").write_bytes((tmp_path / "001.dcm").read_bytes())
    assert "twice (001.dcm, copy.dcm)" in refusal(tmp_path)


def test_one_of_three_echoes_is_chosen_by_its_number(write_axial, tmp_path, ramp):
    write_axial(tmp_path, [0, 3] * 3, each=lambda n: {"EchoTime": [40, 12.5, 90][n // 2]})
    assert "choose one by --echo 1 to 3" in refusal(tmp_path)
    for echo, first in ((1, 2), (2, 0), (3, 4)):
        np.testing.assert_array_equal(read_volume(tmp_path, echo=echo).voxels, np.stack([ramp(first), ramp(first + 1)]))
    assert "no echo 4, it holds 3 echoes (12.5, 40, 90 ms)" in refusal(tmp_path, echo=4)


def test_an_echo_of_a_series_without_echo_times_is_refused(write_axial, tmp_path):
    assert "leave out --echo" in refusal(write_axial(tmp_path, [0, 3]), echo=1)


def test_series_of_one_folder_are_listed_and_chosen(write_axial, tmp_path, ramp):
    write_axial(tmp_path, [0, 3, 6])
    write_axial(tmp_path, [0, 4], each=lambda n: {"name": f"other{n}"}, SeriesInstanceUID="1.2.4", SeriesNumber=9)
    said = refusal(tmp_path)
    assert "2 DICOM series; choose one by --series UID: 1.2.3 (4 made up, 3 files), 1.2.4 (9 made up, 2 files)" in said
    assert read_volume(tmp_path, series="1.2.4").dimensions == (5, 6, 2)
    assert "no series 1.2.5" in refusal(tmp_path, series="1.2.5")
    assert dicom_series_in(tmp_path) == ("1.2.3", "1.2.4")
    assert [name.rsplit("/", 1)[-1] for name in dicom_files(tmp_path, "1.2.4")] == ["other0", "other1"]


def test_series_and_echo_choose_nothing_in_another_format(phantom, tmp_path):
    write_volume(phantom, tmp_path / "a.nrrd")
    assert "no DICOM" in refusal(tmp_path / "a.nrrd", series="1.2.3")
    assert "no DICOM" in refusal(tmp_path / "a.nrrd", echo=1)
