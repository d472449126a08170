"""What is no stack of slices is refused by its name, as a file and as a folder; what is damaged is named, too."""

import builtins
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.headers import headers_in
from SuperResolutionLib.files.reading import read_volume


def refusal(path, **choice):
    """Return the one sentence by which reading a path is refused."""
    with pytest.raises(InputError, match=r"^[^\n]+; [^\n]+\.$") as caught:
        read_volume(path, **choice)
    return str(caught.value)


KINDS = {
    "mosaic": ("MR", {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}, "mosaic"),
    "sheet": ("MR", {"ImageType": ["ORIGINAL", "PRIMARY", "M", "VFRAME"]}, "VFRAME"),
    "segmentation": ("1.2.840.10008.5.1.4.1.1.66.4", {}, "DICOM SEG"),
    "dose": ("1.2.840.10008.5.1.4.1.1.481.2", {}, "RT Dose"),
    "projection": ("1.2.840.10008.5.1.4.1.1.481.1", {}, "RT Image"),
    "ultrasound": ("1.2.840.10008.5.1.4.1.1.6.2", {}, "Enhanced Ultrasound Volume"),
    "capture": ("1.2.840.10008.5.1.4.1.1.7", {}, "secondary capture"),
    "captures": ("1.2.840.10008.5.1.4.1.1.7.2", {}, "secondary capture"),
    "nuclear medicine": ("1.2.840.10008.5.1.4.1.1.20", {}, "Nuclear Medicine"),
    "map": ("1.2.840.10008.5.1.4.1.1.30", {}, "Parametric Map"),
    "colour": ("MR", {"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
    "no position": ("MR", {"ImagePositionPatient": None}, "ImagePositionPatient"),
    "no orientation": ("MR", {"ImageOrientationPatient": None}, "ImageOrientationPatient"),
}


@pytest.mark.parametrize("where", ["file", "folder"])
@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_volume_is_refused_by_name(write_axial, tmp_path, name, where):
    kind, attributes, words = KINDS[name]
    write_axial(tmp_path, [0, 3, 6], kind, **attributes)
    assert words in refusal(tmp_path if where == "folder" else tmp_path / "001.dcm")


def test_a_mosaic_that_lost_its_name_has_siemens_own_number_of_tiles(write_axial, tmp_path):
    write_axial(tmp_path, [0])
    data = pydicom.dcmread(tmp_path / "000.dcm")
    data.add_new(0x0019100A, "US", 32)
    data.save_as(tmp_path / "000.dcm")
    assert "mosaic" in refusal(tmp_path)


@pytest.mark.parametrize(
    "attributes, words",
    [({"FrameTime": 33}, "in time (a cine loop)"), ({"CineRate": 20}, "in time (a cine loop)"), ({}, "nothing says")],
)
def test_frames_without_positions_are_no_slices(write_image, tmp_path, attributes, words):
    pixels = np.zeros((4, 6, 5), np.int16)
    write_image(tmp_path / "a.dcm", 0, (0, 0, 0), pixels=pixels, NumberOfFrames=4, **attributes)
    assert "4 frames" in refusal(tmp_path) and words in refusal(tmp_path)


def test_one_foreign_image_among_slices_is_named(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3, 6])
    write_axial(tmp_path, [0], "1.2.840.10008.5.1.4.1.1.7", each=lambda n: {"name": "shot.dcm"})
    assert refusal(tmp_path).startswith("shot.dcm, among images of a scan, is a secondary capture")


def test_objects_without_images_and_other_files_do_not_disturb(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3, 6])
    for name in ("test-SR.dcm", "rtplan.dcm", "rtstruct.dcm", "DICOMDIR"):
        shutil.copy(get_testdata_file(name), tmp_path)
    (tmp_path / "README").write_text("about this scan")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden").write_bytes(b"")
    assert read_volume(tmp_path).dimensions == (5, 6, 3)


@pytest.mark.parametrize("kind", ["1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.4.2"])
def test_raw_data_and_spectra_of_the_same_series_do_not_disturb(write_axial, tmp_path, kind):
    write_axial(tmp_path, [0, 3, 6])
    write_axial(tmp_path, [0], kind, each=lambda n: {"name": "0001_Raw.dcm"}, PixelData=None)
    assert read_volume(tmp_path).dimensions == (5, 6, 3)
    assert "without an image" in refusal(tmp_path / "0001_Raw.dcm")


@pytest.mark.parametrize("which", ["000.dcm", "001.dcm", "003.dcm"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda old: old[:-20],
        lambda old: old[:500],
        lambda old: old[:140],
        lambda old: old[:170],
        lambda old: b"",
        lambda old: bytes(len(old)),
    ],
    ids=["in its voxels", "in its header", "after its preamble", "in its kind", "to nothing", "to zeros"],
)
def test_a_damaged_file_is_named_and_no_slice_is_lost(write_axial, tmp_path, which, damage):
    write_axial(tmp_path, [0, 3, 6, 9])
    (tmp_path / which).write_bytes(damage((tmp_path / which).read_bytes()))
    assert which in refusal(tmp_path)


def test_a_damaged_file_without_a_suffix_is_seen_beside_its_like(write_axial, tmp_path):
    write_axial(tmp_path, [0, 3, 6], each=lambda n: {"name": f"IM{n}"})
    (tmp_path / "IM3").write_bytes(b"")
    assert "IM3 is empty" in refusal(tmp_path)


def test_a_cut_compressed_image_is_named(tmp_path):
    for name in ("MR_small_jp2klossless.dcm", "MR_small_RLE.dcm"):
        content = Path(get_testdata_file(name)).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) * 3 // 4])
        assert name in refusal(tmp_path / name)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "PixelSpacing", "RescaleSlope"])
def test_a_header_with_words_for_numbers_is_named(write_axial, tmp_path, keyword):
    write_axial(tmp_path, [0, 3, 6], RescaleSlope=1)
    path = tmp_path / "001.dcm"
    element = pydicom.dcmread(path)[keyword]
    old = path.read_bytes()
    start = old.index(element.tag.group.to_bytes(2, "little") + element.tag.element.to_bytes(2, "little")) + 8
    path.write_bytes(old[:start] + b"x" + old[start + 1 :])
    assert "001.dcm" in refusal(tmp_path)


@pytest.mark.parametrize("bare", ["without a preamble", "without file meta information"])
def test_files_of_older_archives_are_read(write_axial, tmp_path, ramp, bare):
    write_axial(tmp_path, [0, 3, 6])
    for path in tmp_path.iterdir():
        content = path.read_bytes()[132:]
        if bare == "without file meta information":
            content = content[12 + int.from_bytes(content[8:12], "little") :]
        path.write_bytes(content)
    assert len(headers_in(tmp_path)) == 3
    np.testing.assert_array_equal(read_volume(tmp_path).voxels[2], ramp(2))


def test_without_pydicom_one_sentence_says_what_to_install(write_axial, tmp_path, monkeypatch):
    write_axial(tmp_path, [0, 3])
    absent = builtins.__import__

    def without_pydicom(name, *rest):
        if name.split(".")[0] == "pydicom":
            raise ImportError(name)
        return absent(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pydicom)
    assert "pip install pydicom" in refusal(tmp_path)
