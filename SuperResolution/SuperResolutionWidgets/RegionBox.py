from __future__ import annotations


class RegionBox:
    """Makes a chosen region visible in the views, and gives a new one a box to start from."""

    SHARE = 0.5
    """Side of the first box, as a share of the volume's."""

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
