from __future__ import annotations

import os
import shutil

import qt

from .environment import workerEnvironment
from .processTree import killProcessTree


class QtWorkerProcess:
    """The ``WorkerProcess`` of Slicer: PythonSlicer in a QProcess, served by the event loop.

    Args:
        parent: the QObject that owns the process, such as ``slicer.app``. PythonQt deletes an object without a parent
            together with its last Python reference, even in the middle of its own signal.
    """

    def __init__(self, parent):
        self._parent = parent
        self._process = None

    def start(self, arguments, onOutput, onErrorOutput, onFinished):
        python = shutil.which("PythonSlicer")
        if python is None:
            onErrorOutput(b"PythonSlicer, which comes with Slicer, was not found on the PATH.\n")
            onFinished(-1)
            return
        self._onOutput, self._onErrorOutput, self._onFinished = onOutput, onErrorOutput, onFinished
        environment = qt.QProcessEnvironment.systemEnvironment()
        for key, value in workerEnvironment(dict(os.environ)).items():
            environment.insert(key, value)
        self._process = qt.QProcess(self._parent)
        self._process.setProcessEnvironment(environment)
        self._process.connect("readyReadStandardOutput()", self._readOutput)
        self._process.connect("readyReadStandardError()", self._readErrorOutput)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._finish)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._failToStart)
        self._process.start(python, ["-m", "SuperResolutionLib", *arguments])

    def write(self, data):
        if self._process is not None:
            self._process.write(data)

    def kill(self):
        if self._process is None:
            return
        process = self._release()
        if process.state() != qt.QProcess.NotRunning:
            killProcessTree(process.processId())
            process.waitForFinished(5000)
        process.deleteLater()

    def _release(self):
        process, self._process = self._process, None
        process.disconnect("readyReadStandardOutput()", self._readOutput)
        process.disconnect("readyReadStandardError()", self._readErrorOutput)
        process.disconnect("finished(int,QProcess::ExitStatus)", self._finish)
        process.disconnect("errorOccurred(QProcess::ProcessError)", self._failToStart)
        return process

    def _readOutput(self):
        # PythonQt gives None for an empty array.
        self._onOutput(self._process.readAllStandardOutput().data() or b"")

    def _readErrorOutput(self):
        self._onErrorOutput(self._process.readAllStandardError().data() or b"")

    def _finish(self, exitCode, exitStatus):
        self._readOutput()
        self._readErrorOutput()
        crashed = exitStatus == qt.QProcess.CrashExit
        self._release().deleteLater()
        self._onFinished(-1 if crashed else exitCode)

    def _failToStart(self, error):
        if error != qt.QProcess.FailedToStart:
            return
        process = self._release()
        self._onErrorOutput(process.errorString().encode() + b"\n")
        process.deleteLater()
        self._onFinished(-1)
