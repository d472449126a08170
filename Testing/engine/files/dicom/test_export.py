"""A result as a derived DICOM series: read back identically, of the same study, honest about what it is."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

import SuperResolutionLib.files.dicom.export as dicom_export
from SuperResolutionLib.errors import Cancelled, InputError
from SuperResolutionLib.files.dicom.export import export_dicom
from SuperResolutionLib.files.reading import read_volume
from SuperResolutionLib.geometry.grid import Grid
from SuperResolutionLib.geometry.volume import LPS_TO_RAS, Volume, refined_matrix

REPORT = {
    "program": "SuperResolution 9.9",
    "steps": [{"kind": "slice plane", "model": "mri-x2-test", "model_sha256": "ab" * 32, "detail": 0.25}],
}
UPRIGHT = LPS_TO_RAS @ np.array([[0.9, 0, 0, -30], [0, 0.8, 0, -20], [0, 0, 4, 7], [0, 0, 0, 1.0]])


@pytest.fixture
def write_series(tmp_path):
    """The function that writes a series of 5 images of 24 x 20 with a scanner's header and returns its folder."""

    def write(template="MR_small.dcm", matrix=UPRIGHT, **changes):
        folder = tmp_path / "source"
        folder.mkdir()
        lps = LPS_TO_RAS @ matrix
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        i, j, k = (lps[:3, :3] / spacing).T
        voxels = np.random.default_rng(0).integers(0, 1000, (5, 20, 24)).astype("<i2")
        for n in range(5):
            data = pydicom.dcmread(get_testdata_file(template))
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{n}"
            data.InstanceNumber = n + 1
            data.ImagePositionPatient = [round(float(v), 9) for v in lps[:3, 3] + n * spacing[2] * k]
            data.ImageOrientationPatient = [round(float(v), 12) for v in (*i, *j)]
            data.PixelSpacing = [round(float(v), 12) for v in (spacing[1], spacing[0])]
            data.SliceThickness = 3
            data.Rows, data.Columns = 20, 24
            data.PixelData = voxels[n].tobytes()
            data.SeriesDescription = "t1 tra"
            for keyword, value in changes.items():
                setattr(data, keyword, value(n) if callable(value) else value)
            data.save_as(folder / f"{n}.dcm")
        return folder

    return write


def refined(volume, factors, dtype=np.int16, low=-100, high=3000):
    shape = [size * factor for size, factor in zip(volume.voxels.shape, reversed(factors))]
    voxels = np.random.default_rng(1).uniform(low, high, shape)
    if np.dtype(dtype).kind in "iu":
        voxels = np.rint(voxels)
    return Volume(voxels.astype(dtype), refined_matrix(volume.ijk_to_ras, factors), volume.modality)


def report_of(result):
    return {**REPORT, "output": {"dimensions_ijk": list(result.dimensions)}}


def images_in(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def oblique(handedness):
    a, b = 0.3, -0.4
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ tilt @ np.diag([0.9, 0.8, 4.0 * handedness])
    matrix[:3, 3] = [61.5, -88.25, 40.125]
    return matrix


# ---------------------------------------------------------------- read back


@pytest.mark.parametrize("matrix", [UPRIGHT, oblique(1), oblique(-1)], ids=["upright", "oblique", "left-handed"])
@pytest.mark.parametrize("factors", [(2, 2, 1), (4, 4, 1), (1, 1, 4), (2, 2, 2)], ids=str)
def test_simpleitk_reads_the_same_voxels_in_the_same_places(write_series, tmp_path, matrix, factors):
    source = write_series(matrix=matrix)
    result = refined(read_volume(source), factors)
    uid = export_dicom(source, result, tmp_path / "out", report_of(result))
    back = read_volume(tmp_path / "out")
    assert back.modality == "MR" and back.voxels.dtype == np.int16
    flip = np.dot(back.ijk_to_ras[:3, 2], result.ijk_to_ras[:3, 2]) < 0
    expected, start = (result.voxels[::-1], len(result.voxels) - 1) if flip else (result.voxels, 0)
    np.testing.assert_array_equal(back.voxels, expected)
    first, last = (result.ijk_to_ras @ [0, 0, k, 1] for k in (start, len(result.voxels) - 1 - start))
    np.testing.assert_allclose(back.ijk_to_ras @ [0, 0, 0, 1], first, atol=1e-4)
    np.testing.assert_allclose(back.ijk_to_ras @ [0, 0, len(result.voxels) - 1, 1], last, atol=1e-4)
    np.testing.assert_allclose(back.ijk_to_ras[:3, :2], result.ijk_to_ras[:3, :2], atol=1e-6)
    assert {image.SeriesInstanceUID for image in images_in(tmp_path / "out")} == {uid}


def test_pydicom_reads_the_same_voxels_in_the_same_places(write_series, tmp_path):
    source = write_series(matrix=oblique(1))
    result = refined(read_volume(source), (4, 4, 1), np.uint16, 0, 65535)
    export_dicom(source, result, tmp_path / "out", report_of(result))
    lps = LPS_TO_RAS @ result.ijk_to_ras
    images = images_in(tmp_path / "out")
    images = (
        images
        if np.dot(np.diff([i.ImagePositionPatient for i in images[:2]], axis=0)[0], lps[:3, 2]) > 0
        else images[::-1]
    )
    for k, image in enumerate(images):
        np.testing.assert_array_equal(image.pixel_array, result.voxels[k])
        np.testing.assert_allclose(image.ImagePositionPatient, (lps @ [0, 0, k, 1])[:3], atol=1e-4)
        row, column = np.array(image.ImageOrientationPatient).reshape(2, 3)
        np.testing.assert_allclose(row * image.PixelSpacing[1], lps[:3, 0], atol=1e-9)
        np.testing.assert_allclose(column * image.PixelSpacing[0], lps[:3, 1], atol=1e-9)
        assert image.SpacingBetweenSlices == pytest.approx(4)


@pytest.mark.parametrize("template", ["MR_small.dcm", "CT_small.dcm"])
def test_real_numbers_are_read_back_to_the_stated_step(write_series, tmp_path, template):
    source = write_series(template)
    result = refined(read_volume(source), (2, 2, 1), np.float32, -0.5, 0.75)
    export_dicom(source, result, tmp_path / "out", report_of(result))
    image = images_in(tmp_path / "out")[0]
    step = float(image.DerivationDescription.rstrip(".").split()[-1])
    assert step == pytest.approx(1.25 / 65535, rel=0.01)
    np.testing.assert_allclose(read_volume(tmp_path / "out").voxels, result.voxels, atol=0.51 * step)
    np.testing.assert_allclose(
        image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept),
        result.voxels[0],
        atol=0.51 * step,
    )
    assert image.RescaleType == ("US" if template.startswith("MR") else "HU")


def test_ct_stays_in_hounsfield_units(write_series, tmp_path):
    source = write_series("CT_small.dcm", RescaleIntercept=-1024, RescaleSlope=1)
    volume = read_volume(source)
    assert volume.voxels.min() < -900
    result = refined(volume, (2, 2, 1), np.int16, -1024, 2000)
    export_dicom(source, result, tmp_path / "out", report_of(result))
    assert images_in(tmp_path / "out")[0].RescaleIntercept == 0
    np.testing.assert_array_equal(read_volume(tmp_path / "out").voxels, result.voxels)


# ---------------------------------------------------------------- what it says of itself


def test_the_series_is_new_and_of_the_same_patient_study_and_frame(write_series, tmp_path):
    source = write_series(PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 192", SeriesNumber=7)
    result = refined(read_volume(source), (2, 2, 1))
    for name in ("one", "two"):
        export_dicom(source, result, tmp_path / name, report_of(result))
    old, (one, *_), (two, *_) = images_in(source)[0], images_in(tmp_path / "one"), images_in(tmp_path / "two")
    for keyword in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyID", "FrameOfReferenceUID"):
        assert one[keyword].value == old[keyword].value, keyword
    assert str(one.PatientName) == "Müller^Jürgen"
    assert len({old.SeriesInstanceUID, one.SeriesInstanceUID, two.SeriesInstanceUID}) == 3
    uids = [image.SOPInstanceUID for name in ("source", "one", "two") for image in images_in(tmp_path / name)]
    assert len(set(uids)) == 15
    assert one.SOPClassUID == old.SOPClassUID == one.file_meta.MediaStorageSOPClassUID
    assert one.SOPInstanceUID == one.file_meta.MediaStorageSOPInstanceUID
    assert one.SeriesNumber == 1007
    assert one.SeriesDescription == "t1 tra SR 2x2x1 not for diagnosis"


def test_the_derivation_names_model_digest_factor_and_detail_and_is_not_for_diagnosis(write_series, tmp_path):
    source = write_series(SeriesDescription="a description of sixty-four characters, which is all that LO has")
    result = refined(read_volume(source), (2, 2, 1))
    export_dicom(source, result, tmp_path / "out", report_of(result))
    image = images_in(tmp_path / "out")[0]
    for words in ("SuperResolution 9.9", "mri-x2-test", "ab" * 32, "2x2x1", "detail 0.25", "not for diagnosis"):
        assert words in image.DerivationDescription
    assert list(image.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert "not for diagnosis" in image.ImageComments
    assert len(image.SeriesDescription) <= 64 and image.SeriesDescription.endswith("not for diagnosis")
    assert image.Manufacturer != "TOSHIBA_MEC"
    assert image.ContributingEquipmentSequence[0].Manufacturer == "TOSHIBA_MEC"


def test_an_expected_error_is_a_series_of_its_own_that_says_so(write_series, tmp_path):
    source = write_series(SeriesNumber=7, WindowCenter="4000", WindowWidth="8000")
    volume = read_volume(source)
    result = refined(volume, (2, 2, 1))
    error = Volume(np.abs(result.voxels).astype(np.float32) / 100, result.ijk_to_ras, volume.modality)
    export_dicom(source, result, tmp_path / "result", report_of(result))
    export_dicom(source, error, tmp_path / "error", report_of(error), is_error=True)
    of_result, of_error = (images_in(tmp_path / name)[0] for name in ("result", "error"))
    assert of_error.SeriesInstanceUID != of_result.SeriesInstanceUID
    assert (of_result.SeriesNumber, of_error.SeriesNumber) == (1007, 2007)
    assert of_error.SeriesDescription == "t1 tra SR 2x2x1 expected error, not for diagnosis"
    for words in (of_error.ImageComments, of_error.DerivationDescription):
        assert "Expected error (1 SD)" in words and "not for diagnosis" in words
    assert float(of_error.WindowCenter) < error.voxels.max() < float(of_result.WindowCenter)
    np.testing.assert_allclose(read_volume(tmp_path / "error").voxels, error.voxels, atol=0.001)


def test_without_a_report_the_series_says_that_the_model_is_not_stated(write_series, tmp_path):
    source = write_series()
    export_dicom(source, refined(read_volume(source), (4, 4, 1)), tmp_path / "out")
    description = images_in(tmp_path / "out")[0].DerivationDescription
    assert "model not stated" in description and "4x4x1" in description


@pytest.mark.parametrize(
    "factors, sources, thickness",
    [((2, 2, 1), [[0], [1], [2], [3], [4]], 3), ((1, 1, 2), [[n // 2] for n in range(10)], 2)],
)
def test_each_image_names_the_source_image_that_it_lies_in(write_series, tmp_path, factors, sources, thickness):
    source = write_series()
    result = refined(read_volume(source), factors)
    export_dicom(source, result, tmp_path / "out", report_of(result))
    positions = {image.SOPInstanceUID: image.ImagePositionPatient[2] for image in images_in(source)}
    order = sorted(positions, key=positions.get)
    images = images_in(tmp_path / "out")
    assert [[order.index(i.ReferencedSOPInstanceUID) for i in image.SourceImageSequence] for image in images] == sources
    assert images[0].SourceImageSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    (series,) = images[0].ReferencedSeriesSequence
    assert series.SeriesInstanceUID == images_in(source)[0].SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == set(positions)
    assert [float(image.SliceThickness) for image in images] == [thickness] * len(images)
    assert [int(image.InstanceNumber) for image in images] == list(range(1, len(images) + 1))


def test_slices_between_the_old_ones_name_both_neighbours(write_series, tmp_path):
    source = write_series()
    volume = read_volume(source)
    grid = Grid(volume.ijk_to_ras, volume.dimensions).at_spacing((0.9, 0.8, 3.0))
    result = Volume(np.ones(grid.dimensions[::-1], np.int16), grid.ijk_to_ras)
    export_dicom(source, result, tmp_path / "out")
    counts = {len(image.SourceImageSequence) for image in images_in(tmp_path / "out")}
    assert counts == {1, 2}


def test_nothing_stale_is_copied(write_series, tmp_path):
    stale = {
        "AcquisitionMatrix": [0, 64, 64, 0],
        "PercentSampling": 100,
        "PixelBandwidth": 180,
        "ReconstructionDiameter": 20,
    }
    source = write_series("CT_small.dcm", **stale)
    for image, path in zip(images_in(source), sorted(source.iterdir())):
        image.private_block(0x0009, "SCANNER", create=True).add_new(1, "LO", "secret")
        image.PatientComments = "kept"
        image.SourceImageSequence = [Dataset(), Dataset()]
        image.save_as(path)
    result = refined(read_volume(source), (2, 2, 1))
    export_dicom(source, result, tmp_path / "out", report_of(result))
    image = images_in(tmp_path / "out")[0]
    assert "PixelPaddingValue" in images_in(source)[0]
    for keyword in (*stale, "PixelPaddingValue"):
        assert keyword not in image
    assert not [element for element in image if element.tag.is_private]
    assert image.PatientComments == "kept" and len(image.SourceImageSequence) == 1
    assert (image.Rows, image.Columns) == (40, 48)


def test_an_attribute_that_differs_between_the_source_images_is_left_out(write_series, tmp_path):
    source = write_series(EchoTime=lambda n: 10 + n, AcquisitionTime=lambda n: f"12000{n}")
    export_dicom(source, refined(read_volume(source), (2, 2, 1)), tmp_path / "out")
    image = images_in(tmp_path / "out")[0]
    assert image.EchoTime is None and "AcquisitionTime" not in image


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_numbers_that_are_none_do_not_stop_the_export(write_series, tmp_path):
    source = write_series(SeriesNumber="4711", SliceThickness="1.47", EchoTrainLength="4812")
    for path in source.iterdir():
        content = path.read_bytes()
        for number in (b"4711", b"1.47", b"4812"):
            assert content.count(number) == 1
            content = content.replace(number, b"4x" + number[2:])
        path.write_bytes(content)
    export_dicom(source, refined(read_volume(source), (2, 2, 1)), tmp_path / "out")
    image = images_in(tmp_path / "out")[0]
    assert (image.SeriesNumber, image.SliceThickness) == (1000, 4)


# Type 1 and 2 attributes of the modules of PS3.3 A.4 (MR) and A.3 (CT) that are mandatory.
MANDATORY = """
    PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyDate StudyTime ReferringPhysicianName
    StudyID AccessionNumber Modality SeriesInstanceUID SeriesNumber Laterality PatientPosition FrameOfReferenceUID
    PositionReferenceIndicator Manufacturer InstanceNumber ImageType PixelSpacing ImageOrientationPatient
    ImagePositionPatient SliceThickness SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated
    BitsStored HighBit PixelRepresentation PixelData SOPClassUID SOPInstanceUID
"""
MANDATORY_OF_MODALITY = {
    "MR": ["ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType", "EchoTime", "EchoTrainLength"],
    "CT": ["KVP", "AcquisitionNumber", "RescaleIntercept", "RescaleSlope", "RescaleType"],
}
NOT_EMPTY = """
    StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID Modality ImageType PixelSpacing ImagePositionPatient
    ImageOrientationPatient SOPClassUID SOPInstanceUID BitsStored
"""


@pytest.mark.parametrize("modality", ["MR", "CT"])
@pytest.mark.parametrize("bare", [False, True], ids=["whole", "anonymised"])
def test_the_mandatory_attributes_are_there(write_series, tmp_path, modality, bare):
    source = write_series(f"{modality}_small.dcm")
    if bare:
        kept = {
            "SOPClassUID",
            "SOPInstanceUID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "Modality",
            "PixelData",
            "Rows",
        }
        kept |= {
            "Columns",
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "BitsAllocated",
            "HighBit",
        }
        kept |= {"BitsStored", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation"}
        for image, path in zip(images_in(source), sorted(source.iterdir())):
            for element in [element for element in image if element.keyword not in kept]:
                del image[element.tag]
            image.save_as(path)
    result = refined(read_volume(source), (2, 2, 1))
    export_dicom(source, result, tmp_path / "out", report_of(result))
    for image in images_in(tmp_path / "out"):
        missing = [word for word in (*MANDATORY.split(), *MANDATORY_OF_MODALITY[modality]) if word not in image]
        assert not missing
        assert all(image[word].value not in (None, "", []) for word in NOT_EMPTY.split())
        assert float(image.WindowWidth) >= 1


def test_no_side_is_asked_for_where_the_source_names_a_part_that_has_none(write_series, tmp_path):
    source = write_series(BodyPartExamined="PROSTATE")
    export_dicom(source, refined(read_volume(source), (2, 2, 1)), tmp_path / "out")
    assert "Laterality" not in images_in(tmp_path / "out")[0]


@pytest.mark.parametrize("dtype", [np.int16, np.float32], ids=str)
@pytest.mark.parametrize("modality, part", [("MR", None), ("MR", "PROSTATE"), ("CT", None)])
def test_dciodvfy_finds_no_error(write_series, tmp_path, modality, part, dtype):
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy, of Debian's dicom3tools, is not on the PATH")
    source = write_series(f"{modality}_small.dcm", **({"BodyPartExamined": part} if part else {}))
    result = refined(read_volume(source), (2, 2, 2), dtype)
    export_dicom(source, result, tmp_path / "out", report_of(result))
    for path in (tmp_path / "out").iterdir():
        end = subprocess.run([program, str(path)], capture_output=True, text=True)
        assert f"{modality}Image" in end.stdout + end.stderr
        assert "Error" not in end.stdout + end.stderr


# ---------------------------------------------------------------- what is refused


def moved(volume, by):
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] += by
    return Volume(volume.voxels, matrix)


def sheared(volume):
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 2] += 0.1 * matrix[:3, 1]
    return Volume(volume.voxels, matrix)


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda volume: moved(volume, [0, 0, 12]), "sticks out of the source series by 12.0 mm"),
        (lambda volume: moved(volume, [500, 0, 0]), "sticks out"),
        (sheared, "right angles"),
    ],
    ids=["moved", "elsewhere", "sheared"],
)
def test_a_result_that_does_not_lie_in_the_series_is_refused(write_series, tmp_path, spoil, reason):
    source = write_series()
    with pytest.raises(InputError, match=reason):
        export_dicom(source, spoil(refined(read_volume(source), (2, 2, 1))), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_part_of_the_volume_is_no_reason_to_refuse(write_series, tmp_path):
    source = write_series()
    result = refined(read_volume(source), (2, 2, 1)).cropped((3, 4, 1), (20, 21, 3))
    export_dicom(source, result, tmp_path / "out")
    np.testing.assert_allclose(read_volume(tmp_path / "out").ras_bounds(), result.ras_bounds(), atol=1e-4)


def test_the_report_of_another_volume_is_refused(write_series, tmp_path):
    source = write_series()
    volume = read_volume(source)
    with pytest.raises(InputError, match="another volume"):
        export_dicom(source, refined(volume, (2, 2, 1)), tmp_path / "out", report_of(volume))


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1"}, "Enhanced MR"),
        ({"StudyInstanceUID": lambda n: f"1.2.{n}"}, "differ in StudyInstanceUID"),
        ({"FrameOfReferenceUID": lambda n: f"1.2.{n % 2}"}, "differ in FrameOfReferenceUID"),
    ],
    ids=["enhanced", "studies", "frames"],
)
def test_a_series_that_nothing_can_be_derived_from_is_refused(write_series, tmp_path, changes, reason):
    source = write_series(**changes)
    with pytest.raises(InputError, match=reason):
        export_dicom(source, refined(read_volume(source), (2, 2, 1)), tmp_path / "out")


def test_no_series_is_refused(tmp_path, phantom):
    (tmp_path / "empty").mkdir()
    for name, reason in (("absent", "no folder"), ("empty", "no DICOM series")):
        with pytest.raises(InputError, match=reason):
            export_dicom(tmp_path / name, phantom, tmp_path / "out")


def test_a_folder_with_something_in_it_is_left_alone(write_series, tmp_path):
    source = write_series()
    result = refined(read_volume(source), (2, 2, 1))
    (tmp_path / "out").mkdir()
    export_dicom(source, result, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(InputError, match="is there already"):
        export_dicom(source, result, tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_the_folder_one_stands_in_is_refused_like_another(write_series, tmp_path, monkeypatch):
    source = write_series()
    monkeypatch.chdir(source)
    with pytest.raises(InputError, match="is there already"):
        export_dicom(source, refined(read_volume(source), (2, 2, 1)), ".")


def test_images_without_a_preamble_are_sources_like_others(write_series, tmp_path):
    source = write_series()
    result = refined(read_volume(source), (2, 2, 1))
    for path in source.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    export_dicom(source, result, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == result.dimensions[2]


def test_without_pydicom_one_sentence_says_what_to_install(tmp_path, phantom, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match="pip install pydicom"):
        export_dicom(tmp_path, phantom, tmp_path / "out")


# ---------------------------------------------------------------- whole or not at all


def test_a_cancelled_export_leaves_nothing(write_series, tmp_path):
    source, polls = write_series(), []

    def cancelled():
        polls.append(None)
        return len(polls) > 2

    with pytest.raises(Cancelled):
        export_dicom(source, refined(read_volume(source), (2, 2, 1)), tmp_path / "out", cancelled=cancelled)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_full_disk_leaves_nothing_and_is_one_sentence(write_series, tmp_path, monkeypatch):
    source = write_series()
    original = dicom_export._DerivedImages.write

    def fill_up(self, number, path: Path):
        if number == 3:
            raise OSError(28, "No space left on device")
        original(self, number, path)

    monkeypatch.setattr(dicom_export._DerivedImages, "write", fill_up)
    with pytest.raises(InputError, match="No space left"):
        export_dicom(source, refined(read_volume(source), (2, 2, 1)), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
