"""What the engine gets from a node, and which nodes are refused."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
import slicer.util  # noqa: E402
import vtk  # noqa: E402
from SuperResolutionWidgets.Scene.VolumeNodes import boxFromRoi, volumeFromNode  # noqa: E402
from SuperResolutionWidgets.Views.RegionBox import RegionBox  # noqa: E402

from SuperResolutionLib.errors import InputError  # noqa: E402
from SuperResolutionLib.geometry.grid import Grid  # noqa: E402


def test_voxels_and_matrix_are_the_nodes_own(phantom):
    volume = volumeFromNode(phantom)
    assert volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(volume.voxels, slicer.util.arrayFromVolume(phantom))
    bounds = np.zeros(6)
    phantom.GetRASBounds(bounds)
    np.testing.assert_allclose(volume.ras_bounds().T.ravel(), bounds, atol=1e-9)


def test_a_parent_transform_does_not_move_the_volume(phantom, scene):
    before = volumeFromNode(phantom).ijk_to_ras
    _move(phantom, scene, 100)
    np.testing.assert_array_equal(volumeFromNode(phantom).ijk_to_ras, before)


def test_the_modality_comes_from_the_dicom_series(phantom, scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), phantom)
    assert volumeFromNode(phantom).modality is None
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "MR")
    assert volumeFromNode(phantom).modality == "MR"


@pytest.mark.parametrize(
    "class_name, word",
    [
        ("vtkMRMLLabelMapVolumeNode", "label map"),
        ("vtkMRMLVectorVolumeNode", "grey-scale"),
        ("vtkMRMLScalarVolumeNode", "no voxels"),
    ],
)
def test_a_node_that_is_no_grey_scale_image_is_refused(scene, class_name, word):
    node = scene.AddNewNodeByClass(class_name, "Odd")
    with pytest.raises(InputError, match=word) as refusal:
        volumeFromNode(node)
    assert "Odd" in str(refusal.value)


def test_no_node_is_refused(scene):
    with pytest.raises(InputError, match="choose"):
        volumeFromNode(None)


def test_64_bit_integers_are_refused_before_the_work_not_after(scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Long")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_LONG_LONG, 1)
    node.SetAndObserveImageData(image)
    with pytest.raises(InputError, match="64-bit"):
        volumeFromNode(node)


def _box(roi, node):
    return boxFromRoi(roi, node, volumeFromNode(node))


def test_an_upright_roi_on_an_oblique_scan_gives_the_box_around_it(phantom, scene):
    roi = _roi(scene, (18, -26, 21), (10, 8, 6))
    assert _box(roi, phantom) == Grid.of(volumeFromNode(phantom)).box_of_region((13, -30, 18, 23, -22, 24))


def test_a_region_follows_the_volume_below_its_transform(phantom, scene):
    before = _box(_roi(scene, (18, -26, 21), (10, 8, 6)), phantom)
    _move(phantom, scene, 100)
    assert _box(_roi(scene, (118, -26, 21), (10, 8, 6)), phantom) == before


def test_an_roi_that_is_turned_as_the_scan_gives_the_voxels_in_it_and_no_more(phantom, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    RegionBox().show(roi, phantom)
    assert _box(roi, phantom) == ((6, 5, 1), (18, 15, 5))


def test_a_turned_roi_gives_the_box_around_it(scene):
    upright = slicer.util.addVolumeFromArray(np.zeros((20, 20, 20), np.int16), name="Upright")
    upright.SetOrigin(-9.5, -9.5, -9.5)
    roi = _roi(scene, (0, 0, 0), (10, 10, 10))
    turn = vtk.vtkTransform()
    turn.RotateZ(45)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Turn")
    node.SetMatrixTransformToParent(turn.GetMatrix())
    roi.SetAndObserveTransformNodeID(node.GetID())
    assert _box(roi, upright) == ((2, 2, 5), (18, 18, 15))


def test_an_roi_beside_the_scan_is_refused(phantom, scene):
    with pytest.raises(InputError, match="does not touch the volume"):
        _box(_roi(scene, (500, 0, 0), (10, 8, 6)), phantom)


def test_an_roi_without_a_box_is_refused(phantom, scene):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    with pytest.raises(InputError, match="R is empty"):
        _box(roi, phantom)


def _roi(scene, center, size):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    roi.SetSize(*size)
    roi.SetCenter(*center)
    return roi


def _move(node, scene, millimetres):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Shift")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, millimetres)
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


class DicomDatabase:
    """Slicer's, with the tags of one instance."""

    def __init__(self, **values):
        self._values = {("1.2.3", f"{tag[1:5]},{tag[5:]}"): value for tag, value in values.items()}

    def instanceValue(self, instance, tag):
        return self._values.get((instance, tag), "")


@pytest.mark.parametrize("noted, thickness", [("5.5", 5.5), ("", None), ("0", None), ("thick", None)])
def test_the_slice_thickness_comes_from_dicom(phantom, monkeypatch, noted, thickness):
    assert volumeFromNode(phantom).slice_thickness is None
    phantom.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert volumeFromNode(phantom).slice_thickness is None
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase(t00180050=noted), raising=False)
    assert volumeFromNode(phantom).slice_thickness == thickness


MATRIX = {"t00080060": "MR", "t00080008": "ORIGINAL\\PRIMARY\\M", "t00280010": "20", "t00280011": "24"}


@pytest.mark.parametrize(
    "noted, shares",
    [
        ({"t00181310": "0\\10\\12\\0", "t00181312": "ROW "}, (0.5, 0.5, None)),
        ({"t00181310": "0\\20\\0\\18", "t00181312": "ROW"}, (0.75, 1, None)),
        ({"t00181310": "24\\0\\0\\15", "t00181312": "COL"}, (1, 0.75, None)),
        ({"t00189058": "24", "t00189231": "5", "t00181312": "COLUMN"}, (1, 0.25, None)),
        ({"t00181310": "0\\10\\12\\0", "t00181312": "ROW", "t00280010": "40"}, (None, None, None)),
        ({"t00181310": "0\\10\\12\\0", "t00181312": "ROW", "t00080060": "CT"}, (None, None, None)),
        ({"t00181310": "0\\10\\12\\0", "t00181312": "ROW", "t00080008": "DERIVED\\SECONDARY\\MPR"}, (None, None, None)),
        ({"t00181310": "12", "t00181312": "ROW"}, (None, None, None)),
        ({}, (None, None, None)),
    ],
    ids=["ROW", "UIH", "COL", "steps", "resampled since", "CT", "reformatted", "one number", "nothing"],
)
def test_the_acquired_matrix_comes_from_dicom(phantom, monkeypatch, noted, shares):
    assert volumeFromNode(phantom).acquired_shares == (None, None, None)
    phantom.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    monkeypatch.setattr(slicer, "dicomDatabase", DicomDatabase(**{**MATRIX, **noted}), raising=False)
    volume = volumeFromNode(phantom)
    assert volume.acquired_shares == shares
    assert volume.acquired_from == ("the DICOM header" if any(shares) else None)


def test_the_slices_of_a_series_lie_along_k(phantom):
    assert volumeFromNode(phantom).slice_axis is None
    phantom.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert volumeFromNode(phantom).slice_axis == 2
