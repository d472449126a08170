from __future__ import annotations

import vtk


class FollowedNode:
    """Tells when a node of the scene changes, one node at a time.

    Args:
        events: those that are told, beside ModifiedEvent.
    """

    def __init__(self, *events):
        self._events = (vtk.vtkCommand.ModifiedEvent, *events)
        self._node = None
        self._tags: list[int] = []

    @property
    def node(self):
        """The node that is followed, or None."""
        return self._node

    def follow(self, node, onChanged=None) -> None:
        """Call ``onChanged()`` whenever this node changes, and for no other any more; None follows nothing."""
        for tag in self._tags:
            self._node.RemoveObserver(tag)
        self._node, self._tags = node, []
        if node is not None:
            self._tags = [node.AddObserver(event, lambda caller, event: onChanged()) for event in self._events]
