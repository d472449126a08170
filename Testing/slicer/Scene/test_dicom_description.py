"""A result of a DICOM series in the subject hierarchy, as Slicer's DICOM export reads it."""

import pytest

slicer = pytest.importorskip("slicer", reason="Slicer's scene comes with slicer-core")
from SuperResolutionWidgets.Scene.NodeUpscaler import NodeUpscaler  # noqa: E402
from SuperResolutionWidgets.Scene.ResultPlacement import ResultPlacement  # noqa: E402
from SuperResolutionWidgets.Scene.VolumeNodes import volumeFromNode  # noqa: E402


def upscaled(node, engine):
    return NodeUpscaler(engine).upscale(node)


@pytest.fixture
def hierarchy(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


@pytest.fixture
def loadedSeries(phantom, hierarchy):
    """The phantom as Slicer's DICOM plugin puts a loaded series into the hierarchy: patient, study, series."""
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Doe^Jane")
    study = hierarchy.CreateStudyItem(patient, "Head")
    item = hierarchy.CreateItem(study, phantom)
    attributes = {
        "Modality": "MR",
        "SeriesNumber": "4",
        "SeriesDescription": "t1 tra",
        "FrameOfReferenceUID": "1.2.3",
        "SeriesDate": "20200101",
        "Manufacturer": "Scanners Inc",
        "Model": "One",
    }
    for name, value in attributes.items():
        hierarchy.SetItemAttribute(item, f"DICOM.{name}", value)
    hierarchy.SetItemUID(item, "DICOM", "1.2.3.4")
    hierarchy.SetItemUID(item, "DICOMInstanceUID", "1.2.3.4.1 1.2.3.4.2")
    phantom.SetAttribute("DICOM.instanceUIDs", "1.2.3.4.1 1.2.3.4.2")
    return phantom


def attributesOf(hierarchy, node):
    item = hierarchy.GetItemByDataNode(node)
    return {name: hierarchy.GetItemAttribute(item, name) for name in hierarchy.GetItemAttributeNames(item)}


def test_the_result_is_a_described_series_of_the_same_study(loadedSeries, hierarchy, nearest):
    node = upscaled(loadedSeries, nearest)
    item = hierarchy.GetItemByDataNode(node)
    study = hierarchy.GetItemParent(item)
    assert (hierarchy.GetItemName(study), hierarchy.GetItemName(hierarchy.GetItemParent(study))) == ("Head", "Doe^Jane")
    assert attributesOf(hierarchy, node) == {
        "DICOM.Modality": "MR",
        "DICOM.FrameOfReferenceUID": "1.2.3",
        "DICOM.SeriesDescription": "t1 tra SR 4x4x1 not for diagnosis",
        "DICOM.SeriesNumber": "1004",
        "DICOM.Manufacturer": "SuperResolution for 3D Slicer",
        "DICOM.Model": "nearest",
        "DICOM.ReferencedInstanceUIDs": "1.2.3.4.1 1.2.3.4.2",
    }


def test_the_result_does_not_pass_for_the_source_series(loadedSeries, hierarchy, nearest):
    node = upscaled(loadedSeries, nearest)
    item = hierarchy.GetItemByDataNode(node)
    assert (hierarchy.GetItemUID(item, "DICOM"), hierarchy.GetItemUID(item, "DICOMInstanceUID")) == ("", "")
    assert node.GetAttribute("DICOM.instanceUIDs") is None
    assert hierarchy.GetItemByUID("DICOM", "1.2.3.4") == hierarchy.GetItemByDataNode(loadedSeries)


def test_the_factor_is_that_of_the_voxels_not_of_the_network(loadedSeries, hierarchy, nearest):
    fine = nearest(volumeFromNode(loadedSeries), {"factor": 2}, lambda *step: None, lambda: False).volume
    node = ResultPlacement().place(
        fine,
        {"program": "", "steps": [], "output": {"factors_ijk": [4, 4, 1]}, "device": "cpu"},
        loadedSeries,
        "Result",
    )
    description = attributesOf(hierarchy, node)["DICOM.SeriesDescription"]
    assert description == "t1 tra SR 2x2x1 not for diagnosis"


def test_a_volume_from_a_file_gets_no_dicom_attributes(phantom, hierarchy, nearest):
    node = upscaled(phantom, nearest)
    assert not [name for name in attributesOf(hierarchy, node) if name.startswith("DICOM")]


def test_a_series_number_that_is_missing_is_left_out(loadedSeries, hierarchy, nearest):
    hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(loadedSeries), "DICOM.SeriesNumber", "")
    assert "DICOM.SeriesNumber" not in attributesOf(hierarchy, upscaled(loadedSeries, nearest))


def test_a_fused_result_refers_to_the_images_of_all_its_scans(loadedSeries, hierarchy, nearest, scene):
    fine = nearest(volumeFromNode(loadedSeries), {"factor": 2}, lambda *step: None, lambda: False)
    others = [slicer.util.addVolumeFromArray(fine.volume.voxels, name=name) for name in ("cor", "sag")]
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), others[0])
    hierarchy.SetItemUID(item, "DICOMInstanceUID", "1.2.3.5.1")
    node = ResultPlacement().place(fine.volume, fine.report, loadedSeries, "Fused", others=others)
    attributes = attributesOf(hierarchy, node)
    assert attributes["DICOM.ReferencedInstanceUIDs"] == "1.2.3.4.1 1.2.3.4.2 1.2.3.5.1"
    assert attributes["DICOM.SeriesDescription"] == "t1 tra fused 0.4 mm not for diagnosis"
