from __future__ import annotations

import numpy as np
import slicer
import slicer.util

from ..Scene.FollowedNode import FollowedNode
from ..Scene.VolumeNodes import ijkToWorld


class RegionBox:
    """The chosen region in the views: visible, with a box to start from, and followed while the user drags it."""

    SHARE = 0.5
    """Side of the first box, as a share of the volume's."""

    def __init__(self):
        self._followed = FollowedNode()
        self._concealed = None

    def follow(self, roiNode, onMoved) -> None:
        """Call ``onMoved()`` whenever this markups ROI changes, and no other any more; None follows nothing."""
        self._followed.follow(roiNode, onMoved)

    def show(self, roiNode, volumeNode) -> None:
        """Show the markups ROI; if it has no extent yet, put it around the middle of the volume, turned as that is."""
        if roiNode.GetDisplayNode() is None:
            roiNode.CreateDefaultDisplayNodes()
        bounds = [0.0] * 6
        roiNode.GetObjectBounds(bounds)
        hasImage = volumeNode is not None and volumeNode.GetImageData() is not None
        if hasImage and any(low >= high for low, high in zip(bounds[::2], bounds[1::2])):
            self._place(roiNode, volumeNode)
            if roiNode.GetDisplayNode() is not None:
                # What is to be upscaled should be seen as it is.
                roiNode.GetDisplayNode().SetFillVisibility(False)
        self._setVisible(roiNode, True)

    def hide(self, roiNode) -> None:
        """Take a markups ROI that is no longer chosen out of the views."""
        self._concealed = None
        self._setVisible(roiNode, False)

    def conceal(self, whether: bool) -> None:
        """Keep the box out of the views for a while, or bring back one that was visible before."""
        roiNode = self._followed.node
        if whether and self._concealed is None and roiNode is not None and self._isVisible(roiNode):
            self._concealed = roiNode
            self._setVisible(roiNode, False)
        elif not whether and self._concealed is not None:
            roiNode, self._concealed = self._concealed, None
            self._setVisible(roiNode, True)

    def _place(self, roiNode, volumeNode) -> None:
        toWorld, dimensions = ijkToWorld(volumeNode), np.array(volumeNode.GetImageData().GetDimensions())
        lengths = np.linalg.norm(toWorld[:3, :3], axis=0)
        # The axes of a sheared volume are not at right angles, those of a box are; it has no mirrored ones either.
        axes, upper = np.linalg.qr(toWorld[:3, :3])
        axes *= np.sign(np.diag(upper))
        axes[:, 2] *= np.sign(np.linalg.det(axes))
        objectToNode = np.eye(4)
        objectToNode[:3, :3] = axes
        roiNode.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(objectToNode))
        roiNode.SetCenter(*map(float, (toWorld @ [*(dimensions - 1) / 2, 1])[:3]))
        roiNode.SetSize(*map(float, self.SHARE * lengths * dimensions))

    def _isVisible(self, roiNode) -> bool:
        return roiNode.GetDisplayNode() is not None and bool(roiNode.GetDisplayNode().GetVisibility())

    def _setVisible(self, roiNode, visible: bool) -> None:
        if roiNode.GetDisplayNode() is not None:
            roiNode.GetDisplayNode().SetVisibility(visible)
