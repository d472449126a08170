from __future__ import annotations

from ..Scene.FollowedNode import FollowedNode


class RegionBox:
    """The chosen region in the views: visible, with a box to start from, and followed while the user drags it."""

    SHARE = 0.5
    """Side of the first box, as a share of the volume's."""

    def __init__(self):
        self._followed = FollowedNode()

    def follow(self, roiNode, onMoved) -> None:
        """Call ``onMoved()`` whenever this markups ROI changes, and no other any more; None follows nothing."""
        self._followed.follow(roiNode, onMoved)

    def show(self, roiNode, volumeNode) -> None:
        """Show the markups ROI; if it has no extent yet, put it around the middle of the volume."""
        bounds = [0.0] * 6
        roiNode.GetObjectBounds(bounds)
        if volumeNode is not None and any(low >= high for low, high in zip(bounds[::2], bounds[1::2])):
            volumeNode.GetRASBounds(bounds)
            lows, highs = bounds[::2], bounds[1::2]
            roiNode.SetCenter(*((low + high) / 2 for low, high in zip(lows, highs)))
            roiNode.SetSize(*(self.SHARE * (high - low) for low, high in zip(lows, highs)))
        if roiNode.GetDisplayNode() is None:
            roiNode.CreateDefaultDisplayNodes()
        if roiNode.GetDisplayNode() is not None:
            roiNode.GetDisplayNode().SetVisibility(True)
