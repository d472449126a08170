from __future__ import annotations

import slicer
import slicer.util


class HiddenVolume:
    """A volume node with its display that no list in Slicer offers and no saved scene keeps.

    Attributes:
        node: None until it is made, and when it was removed.
    """

    def __init__(self, name: str):
        self._name = name
        self.node = None

    @property
    def isInScene(self) -> bool:
        return self.node is not None and self.node.GetScene() is not None

    @property
    def display(self):
        return self.node.GetDisplayNode()

    def make(self, displayedAs=None) -> None:
        """Add it to the scene, empty, as a display node is shown."""
        node = slicer.vtkMRMLScalarVolumeNode()
        display = slicer.vtkMRMLScalarVolumeDisplayNode()
        if displayedAs is not None:
            display.CopyContent(displayedAs)
        for hidden in (display, node):
            hidden.SetHideFromEditors(True)
            hidden.SetSaveWithScene(False)
        node.SetName(self._name)
        for added in (display, node):
            slicer.mrmlScene.AddNode(added)
        node.SetAndObserveDisplayNodeID(display.GetID())
        self.node = node

    def hold(self, volume, inputNode) -> None:
        """Take the voxels and the place of a ``Volume``, which is a part of what ``inputNode`` holds."""
        with slicer.util.NodeModify(self.node):
            slicer.util.updateVolumeFromArray(self.node, volume.voxels)
            self.node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.ijk_to_ras))
            self.node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())

    def remove(self) -> None:
        """Take it and its display out of the scene."""
        if self.node is not None:
            for node in (self.node, self.display):
                if node is not None and node.GetScene() is not None:
                    slicer.mrmlScene.RemoveNode(node)
        self.node = None
