from __future__ import annotations

import qt


class QtQuietTimer:
    """Calls a function once it has not been asked for during ``MILLISECONDS``.

    A node may change thirty times a second, as where a sequence is played, and a look at a scan takes time.

    Args:
        function: what is called, on the thread of the event loop.
        parent: the QObject that owns the timer, such as ``slicer.app``.
    """

    MILLISECONDS = 200

    def __init__(self, function, parent):
        self._timer = qt.QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.MILLISECONDS)
        self._timer.connect("timeout()", function)

    def __call__(self) -> None:
        """Ask for the call, or put it off again."""
        self._timer.start()
