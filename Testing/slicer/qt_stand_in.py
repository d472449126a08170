"""PythonQt's module ``qt`` over PySide6, as far as the worker needs it: real processes, a real event loop."""

import time
from types import ModuleType

from PySide6 import QtCore


class Bytes:
    """A QByteArray as PythonQt hands it over: ``data()`` of an empty one is None."""

    def __init__(self, array):
        self._array = array

    def data(self):
        return bytes(self._array.data()) or None


class QProcess:
    """PySide's QProcess behind PythonQt's ``connect``, which takes a signature and refuses an unknown one."""

    def __init__(self):
        self._process = QtCore.QProcess()
        self._connections = []

    def __getattr__(self, name):
        return getattr(self._process, name)

    def connect(self, signature, function):
        self._signal(signature).connect(function)
        self._connections.append((signature, function))

    def disconnect(self, signature, function):
        self._connections.remove((signature, function))
        self._signal(signature).disconnect(function)

    def readAllStandardOutput(self):
        return Bytes(self._process.readAllStandardOutput())

    def readAllStandardError(self):
        return Bytes(self._process.readAllStandardError())

    def _signal(self, signature):
        if self._process.metaObject().indexOfSignal(signature) < 0:
            raise ValueError(f"QProcess has no signal {signature}")
        return getattr(self._process, signature.split("(")[0])


for _name in ("NotRunning", "CrashExit", "FailedToStart"):
    setattr(QProcess, _name, getattr(QtCore.QProcess, _name))


def qt_module():
    """Return what ``import qt`` gives."""
    qt = ModuleType("qt")
    qt.QProcess, qt.QProcessEnvironment, qt.QTimer = QProcess, QtCore.QProcessEnvironment, QtCore.QTimer
    return qt


def serve(until, seconds=60):
    """Let Qt's event loop run until ``until()`` is true; fail after ``seconds``."""
    loop, timer = QtCore.QEventLoop(), QtCore.QTimer()
    deadline = time.monotonic() + seconds
    timer.timeout.connect(lambda: loop.quit() if until() or time.monotonic() > deadline else None)
    timer.start(20)
    loop.exec()
    timer.stop()
    assert until(), "it took too long"
