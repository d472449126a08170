"""Enhanced (multi-frame) files: frames sorted by position, each by its own scale, and what else they may hold."""

import re

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.export import export_dicom
from SuperResolutionLib.files.reading import read_volume

ORDER = [2, 0, 3, 1]


def item(**values):
    data = pydicom.Dataset()
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def refusal(path, **choice):
    """Return the one sentence by which reading a path is refused."""
    with pytest.raises(InputError, match=r"^[^\n]+; [^\n]+\.$") as caught:
        read_volume(path, **choice)
    return str(caught.value)


@pytest.mark.parametrize("source", ["e.dcm", "."], ids=["file", "folder"])
@pytest.mark.parametrize("kind", ["Enhanced MR", "Enhanced CT"])
def test_frames_are_sorted_by_position(write_enhanced, tmp_path, ramp, source, kind):
    write_enhanced(tmp_path / "e.dcm", [3.5 * place for place in ORDER], kind)
    volume = read_volume(tmp_path / source)
    np.testing.assert_array_equal(volume.voxels, np.stack([ramp(ORDER.index(k)) for k in range(4)]))
    np.testing.assert_allclose(
        volume.ijk_to_ras[:3, :], [[-0.75, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 3.5, 0]], atol=1e-12
    )
    assert (volume.slice_axis, volume.slice_thickness, volume.modality) == (2, 2.5, kind[-2:])


def test_every_frame_has_its_own_slope(write_enhanced, tmp_path, ramp):
    slopes = [0.5, 2.0, 3.25, 1.0]
    scale = lambda n: [item(RescaleSlope=slopes[n], RescaleIntercept=-n, RescaleType="US")]  # noqa: E731
    write_enhanced(tmp_path / "e.dcm", [0, 3, 6, 9], each=lambda n: {"PixelValueTransformationSequence": scale(n)})
    voxels = read_volume(tmp_path / "e.dcm").voxels
    np.testing.assert_array_equal(voxels, np.stack([ramp(n) * slopes[n] - n for n in range(4)]))


def test_echoes_of_one_file_are_chosen(write_enhanced, tmp_path, ramp):
    write_enhanced(
        tmp_path / "e.dcm",
        [0, 0, 3, 3],
        each=lambda n: {"MREchoSequence": [item(EffectiveEchoTime=[20.0, 90.0][n % 2])]},
    )
    assert "2 echoes (20 and 90 ms)" in refusal(tmp_path / "e.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "e.dcm", echo=2).voxels, np.stack([ramp(1), ramp(3)]))


@pytest.mark.parametrize(
    "group, words",
    [
        (
            lambda n: {"MRDiffusionSequence": [item(DiffusionBValue=[0.0, 900.0][n % 2])]},
            "2 b-values (0 and 900 s/mm2)",
        ),
        (lambda n: {"FrameContentSequence": [item(TemporalPositionIndex=n % 2 + 1)]}, "2 time points (1 and 2)"),
        (lambda n: {"FrameContentSequence": [item(StackID=str(n % 2 + 1))]}, "2 stacks (1 and 2)"),
        (
            lambda n: {"MRImageFrameTypeSequence": [item(ComplexImageComponent=["MAGNITUDE", "PHASE"][n % 2])]},
            "2 image types (MAGNITUDE and PHASE)",
        ),
        (
            lambda n: {
                "MRDiffusionSequence": [
                    item(
                        DiffusionBValue=900.0,
                        DiffusionGradientDirectionSequence=[item(DiffusionGradientOrientation=[n % 2, 1 - n % 2, 0])],
                    )
                ]
            },
            "2 diffusion directions",
        ),
    ],
)
def test_several_volumes_of_one_file_are_told_apart(write_enhanced, tmp_path, group, words):
    write_enhanced(tmp_path / "e.dcm", [0, 0, 3, 3], each=group)
    assert words in refusal(tmp_path / "e.dcm") and "a file of its own" in refusal(tmp_path / "e.dcm")


def test_multi_frame_files_of_one_series_are_time_points_or_parts(write_enhanced, tmp_path):
    for time in (1, 2, 3):
        of_time = {"FrameContentSequence": [item(TemporalPositionIndex=time)]}
        write_enhanced(tmp_path / "times" / f"{time}.dcm", [0, 3], each=lambda n, of_time=of_time: of_time)
    assert "3 time points (1, 2, 3)" in refusal(tmp_path / "times")
    write_enhanced(tmp_path / "parts" / "upper.dcm", [6, 9])
    write_enhanced(tmp_path / "parts" / "lower.dcm", [3, 0])
    volume = read_volume(tmp_path / "parts")
    assert (volume.dimensions, volume.spacing[2]) == ((5, 6, 4), 3)


def test_sheared_frames_and_a_missing_one_are_seen(write_enhanced, tmp_path):
    leaning = (1, 0, 0, 0, np.cos(0.3), -np.sin(0.3))
    write_enhanced(tmp_path / "tilted.dcm", [0, 3, 6], orientation=leaning)
    assert read_volume(tmp_path / "tilted.dcm").is_sheared
    write_enhanced(tmp_path / "gap.dcm", [0, 3, 9, 12])
    assert "lacks a slice" in refusal(tmp_path / "gap.dcm")


def test_frames_that_turn_are_refused(write_enhanced, tmp_path):
    turned = lambda n: [item(ImageOrientationPatient=[np.cos(n * 0.3), np.sin(n * 0.3), 0, 0, 0, -1])]  # noqa: E731
    write_enhanced(tmp_path / "e.dcm", [0, 0, 0, 0], each=lambda n: {"PlaneOrientationSequence": turned(n)})
    assert "turned about one axis" in refusal(tmp_path / "e.dcm")


def test_a_file_that_describes_fewer_frames_than_it_holds_is_refused(write_enhanced, tmp_path):
    path = write_enhanced(tmp_path / "e.dcm", [0, 3, 6])
    data = pydicom.dcmread(path)
    del data.PerFrameFunctionalGroupsSequence[2]
    data.save_as(path)
    assert "states 3 frames and describes 2" in refusal(path)


def test_compressed_frames_are_the_same_voxels(write_enhanced, tmp_path):
    path = write_enhanced(tmp_path / "plain.dcm", [6, 0, 3])
    data = pydicom.dcmread(path)
    data.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    data.save_as(tmp_path / "rle.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "rle.dcm").voxels, read_volume(path).voxels)


def test_an_enhanced_source_of_a_derived_series_is_refused_in_one_sentence(write_enhanced, tmp_path):
    write_enhanced(tmp_path / "source" / "e.dcm", [0, 3, 6])
    with pytest.raises(InputError, match=r"^source is a series of Enhanced MR Image Storage; [^\n]+\.$"):
        export_dicom(tmp_path / "source", read_volume(tmp_path / "source"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_multi_frame_files_that_pydicom_ships_are_refused_by_kind():
    assert re.search("RT Dose", refusal(get_testdata_file("rtdose.dcm")))
    assert re.search("segmentation", refusal(get_testdata_file("liver_1frame.dcm")))
