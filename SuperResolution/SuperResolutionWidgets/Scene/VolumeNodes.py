"""From MRML nodes to what the engine takes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import slicer
import slicer.util
import vtk

from SuperResolutionLib.errors import InputError
from SuperResolutionLib.files.dicom.acquired_matrix import SAID_BY, shares_in_plane
from SuperResolutionLib.geometry.grid import Box, Grid
from SuperResolutionLib.geometry.volume import Volume

from .Companion import COMPANION_ATTRIBUTE

_TAGS = {
    "Modality": "0008,0060",
    "ImageType": "0008,0008",
    "FrameType": "0008,9007",
    "AcquisitionMatrix": "0018,1310",
    "InPlanePhaseEncodingDirection": "0018,1312",
    "MRAcquisitionFrequencyEncodingSteps": "0018,9058",
    "MRAcquisitionPhaseEncodingStepsInPlane": "0018,9231",
}


def firstVolumeNode():
    """Return the scene's first volume that the panel's selector shows, or None: grey-scale, not hidden, and no
    companion of a result."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        # Label maps, colour and vector volumes are subclasses.
        isScan = node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetAttribute(COMPANION_ATTRIBUTE)
        if isScan and not node.GetHideFromEditors():
            return node
    return None


def volumeFromNode(node) -> Volume:
    """Return the node's voxels, which share the node's memory, and their place below the node's parent transform.

    Raises:
        InputError: no node, not a grey-scale scalar volume, no voxels, or 64-bit integers (Slicer cannot show those).
    """
    if node is None:
        raise InputError("No input volume is chosen; choose the volume to upscale.")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(f"{node.GetName()} is a label map; choose a grey-scale volume.")
    # Colour, vector and tensor volumes are subclasses of the scalar volume.
    if node.GetClassName() != "vtkMRMLScalarVolumeNode":
        raise InputError(f"{node.GetName()} is not a grey-scale volume; choose a scalar volume.")
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise InputError(f"{node.GetName()} holds no voxels; load its image, or choose another volume.")
    if image.GetNumberOfScalarComponents() > 1:
        raise InputError(f"{node.GetName()} has several components per voxel; choose a grey-scale volume.")
    voxels = slicer.util.arrayFromVolume(node)
    if voxels.dtype.kind in "iu" and voxels.dtype.itemsize == 8:
        raise InputError(f"{node.GetName()} holds 64-bit integers; convert it with Cast Scalar Volume first.")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    shares = _acquiredShares(node)
    return Volume(
        voxels,
        slicer.util.arrayFromVTKMatrix(matrix),
        _modality(node),
        _sliceThickness(node),
        _sliceAxis(node),
        acquired_shares=shares,
        acquired_from=SAID_BY if any(shares) else None,
    )


def volumesFromNodes(nodes) -> list[Volume]:
    """Return the voxels of the scans that are to be fused, and their places below the first one's parent transform.

    Args:
        nodes: volume nodes, the reference first.

    Raises:
        InputError: as ``volumeFromNode``; fewer than two nodes, one of them twice, or below transforms that differ and
            are not linear.
    """
    nodes = list(nodes)
    if len(nodes) < 2:
        raise InputError("Fusing takes two scans or more of one patient; choose another beside the first.")
    first, *others = nodes
    for number, node in enumerate(nodes):
        if node is not None and node in nodes[:number]:
            raise InputError(f"{node.GetName()} is named twice; choose each scan once.")
    volumes = [volumeFromNode(node) for node in nodes]
    toFirst = volumes[0].ijk_to_ras @ np.linalg.inv(ijkToWorld(first))
    placed = [volumes[0]]
    for node, volume in zip(others, volumes[1:]):
        transforms = [each.GetParentTransformNode() for each in (first, node)]
        if transforms[0] is transforms[1]:
            placed.append(volume)
        elif all(transform is None or transform.IsTransformToWorldLinear() for transform in transforms):
            placed.append(replace(volume, ijk_to_ras=toFirst @ ijkToWorld(node)))
        else:
            raise InputError(
                f"{first.GetName()} and {node.GetName()} lie below different transforms that are not both linear;"
                " harden them first."
            )
    return placed


def _modality(node):
    # Not GetSubjectHierarchyNode, which makes one where there is none.
    hierarchy = node.GetScene().GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode") if node.GetScene() else None
    item = hierarchy.GetItemByDataNode(node) if hierarchy else 0
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return (hierarchy.GetItemAttribute(item, name) or None) if item else None


def _dicomValue(node, tag):
    """Return what DICOM says of the first image that the node was loaded from; "" where it says nothing."""
    instances = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    return "" if database is None or not instances else database.instanceValue(instances[0], tag)


def _sliceThickness(node):
    try:
        thickness = float(_dicomValue(node, "0018,0050"))
    except ValueError:
        return None
    return thickness if 0 < thickness < math.inf else None


def _acquiredShares(node):
    columns, rows, _ = node.GetImageData().GetDimensions()
    # A node that was cropped or resampled since is not on the grid that its images state.
    if (_dicomValue(node, "0028,0010"), _dicomValue(node, "0028,0011")) != (str(rows), str(columns)):
        return None, None, None
    return (*shares_in_plane(lambda keyword: _dicomValue(node, _TAGS[keyword]), rows, columns), None)


def _sliceAxis(node):
    # Slicer stacks the images of a DICOM series along k.
    return 2 if node.GetAttribute("DICOM.instanceUIDs") else None


def boxFromRoi(roiNode, volumeNode, volume: Volume) -> Box:
    """Return the index box of the voxels that a markups ROI touches, turned as it may be.

    Args:
        volumeNode: below whose parent transform ``volume`` lies.

    Raises:
        InputError: the ROI has no extent yet, or lies beside the volume.
    """
    bounds = [0.0] * 6
    roiNode.GetObjectBounds(bounds)
    if any(low >= high for low, high in zip(bounds[::2], bounds[1::2])):
        raise InputError(f"The region {roiNode.GetName()} is empty; place its box, or choose no region.")
    worldToVolume = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, volumeNode.GetParentTransformNode(), worldToVolume)
    corners = []
    for corner in itertools.product(*zip(bounds[::2], bounds[1::2])):
        world = roiNode.GetObjectToWorldMatrix().MultiplyPoint((*corner, 1.0))[:3]
        corners.append(worldToVolume.TransformPoint(world))
    return Grid.of(volume).box_around(corners)


def ijkToWorld(volumeNode) -> np.ndarray:
    """Return the matrix from a volume's indices to the scene, as far as its parent transform is linear."""
    matrices = [vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()]
    transformNode = volumeNode.GetParentTransformNode()
    if transformNode is not None and transformNode.IsTransformToWorldLinear():
        transformNode.GetMatrixTransformToWorld(matrices[0])
    volumeNode.GetIJKToRASMatrix(matrices[1])
    toWorld, ijkToRas = map(slicer.util.arrayFromVTKMatrix, matrices)
    return toWorld @ ijkToRas
