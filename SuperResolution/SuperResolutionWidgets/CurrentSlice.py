from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk

from SuperResolutionLib.planning import slice_axis


class CurrentSlice:
    """Finds the slice of a volume that the user is looking at."""

    COSINE = 0.7
    """A view cuts the slices along their plane if the angle between the two is below 45 degrees."""

    def find(self, volumeNode, volume, region=None):
        """Return ``(index, sliceNode)``: the slice and the view that shows it; the middle one and None where none does.

        Args:
            volume: the ``Volume`` of ``volumeNode``. region: R, A, S, R, A, S in mm; the slice lies in it.
        """
        across = slice_axis(volume)
        first, last = ((0, 0, 0), volume.dimensions) if region is None else volume.box_of_region(region)
        toWorld = self._toWorld(volumeNode)
        normal = (toWorld @ volume.ijk_to_ras)[:3, across]
        for sliceNode in self._views(volumeNode):
            sliceToRas = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
            if abs(sliceToRas[:3, 2] @ normal) / np.linalg.norm(normal) < self.COSINE:
                continue
            indices = np.linalg.inv(toWorld @ volume.ijk_to_ras) @ sliceToRas[:, 3]
            index = int(round(indices[across]))
            if first[across] <= index < last[across]:
                return index, sliceNode
        return (first[across] + last[across]) // 2, None

    def _toWorld(self, volumeNode):
        matrix = vtk.vtkMatrix4x4()
        transformNode = volumeNode.GetParentTransformNode()
        if transformNode is not None and transformNode.IsTransformToWorldLinear():
            transformNode.GetMatrixTransformToWorld(matrix)
        return slicer.util.arrayFromVTKMatrix(matrix)

    def _views(self, volumeNode):
        """Return the slice views, those that show the volume first."""
        views = []
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            sliceNode = slicer.mrmlScene.GetSingletonNode(composite.GetLayoutName(), "vtkMRMLSliceNode")
            if sliceNode is not None:
                shown = (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
                views.append((volumeNode.GetID() not in shown, len(views), sliceNode))
        return [view[-1] for view in sorted(views)]
