from __future__ import annotations

from ..Scene.FollowedNode import FollowedNode


class SharedWindow:
    """Keeps the window and level of two volumes the same while they are compared: who changes one changes both."""

    def __init__(self):
        self._followed = (FollowedNode(), FollowedNode())
        self._last = None

    def share(self, *volumeNodes) -> None:
        """Share them from the next change on; volumes without a display share nothing."""
        self.end()
        displays = [node.GetDisplayNode() for node in volumeNodes]
        if None in displays:
            return
        self._last = [self._of(display) for display in displays]
        for number, (followed, display) in enumerate(zip(self._followed, displays)):
            followed.follow(display, lambda number=number: self._pass(number))

    def end(self) -> None:
        """Let each have its own again."""
        for followed in self._followed:
            followed.follow(None)

    def _pass(self, number: int) -> None:
        changed, other = self._followed[number].node, self._followed[1 - number].node
        if self._of(changed) == self._last[number]:
            return
        self._last = [self._of(changed)] * 2
        other.SetAutoWindowLevel(False)
        other.SetWindowLevel(*self._of(changed))

    def _of(self, display) -> tuple[float, float]:
        return display.GetWindow(), display.GetLevel()
