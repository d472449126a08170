from __future__ import annotations

import json
import shutil
import time
import weakref
from collections import deque
from pathlib import Path
from typing import Callable

from SuperResolutionLib.errors import InputError

from .Messages import WorkerMessages
from .Process import WorkerProcess
from .UpscaleOutcome import UpscaleOutcome
from .WarmJob import WarmJob


class WarmWorker:
    """One process that stays, with PyTorch, the networks and the newest scan, and carries out one job after another.

    It is started with the first job, ends by itself when nothing was asked for ten minutes or when this application
    goes, and is started again when the next job needs it. Its files live in a temporary folder that goes with it. Where
    it crashes, one job ends without a result.

    Args:
        newProcess: returns a new ``WorkerProcess``.
        temporaryPath: folder in which the worker gets its own; None is the system's.
    """

    LOG_LINES = 6

    def __init__(self, newProcess: Callable[[], WorkerProcess], temporaryPath: str | None = None):
        self._newProcess = newProcess
        self._temporaryPath = temporaryPath
        self._process: WorkerProcess | None = None
        self._folder: Path | None = None
        self._scan: Callable = lambda: None
        self._scanFile: Path | None = None
        self._waiting: deque[WarmJob] = deque()
        self._current: WarmJob | None = None
        self._messages: WorkerMessages | None = None
        self._isAsked = self._wasIdle = False
        self._number = 0

    @property
    def isRunning(self) -> bool:
        """Whether there is a process now."""
        return self._process is not None

    def newJob(self, onProgress: Callable[[int, int, str], None], onFinished: Callable[[UpscaleOutcome], None]):
        """Return a job that this worker carries out once it is started; it is used as an ``UpscaleJob`` is."""
        return WarmJob(self, onProgress, onFinished)

    def submit(self, job: WarmJob) -> None:
        """Carry the job out when those before it are."""
        self._waiting.append(job)
        self._next()

    def withdraw(self, job: WarmJob) -> None:
        """Take the job back; it gets no answer any more."""
        if job in self._waiting:
            self._waiting.remove(job)
        elif job is self._current and self._isAsked:
            # Its answer is awaited, as nothing else can be asked before.
            self._send({"cancel": self._number})
        elif job is self._current:
            self._current = None

    def stop(self) -> None:
        """End the process and all below it, remove its files, and forget the scan and the jobs."""
        self._waiting.clear()
        self._current = None
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
        self._clear()

    def _next(self) -> None:
        while self._current is None and self._waiting:
            self._current = self._waiting.popleft()
            self._wasIdle = False
            self._ask()

    def _ask(self) -> None:
        """Send the current job to the process, which is started if need be, as soon as it is ready."""
        self._isAsked = False
        if self._process is None:
            self._start()
        elif self._folder is not None:
            try:
                request = self._request(self._current)
            except (OSError, RuntimeError) as error:
                message = (
                    f"The temporary folder cannot be written ({error}); free space, or choose another in the settings."
                )
                self._end(UpscaleOutcome(message=message))
                return
            self._messages = WorkerMessages(self._current.onProgress)
            self._isAsked = True
            self._send(request)

    def _start(self) -> None:
        temporary = [] if self._temporaryPath is None else ["--temporary", self._temporaryPath]
        self._messages = WorkerMessages(lambda *step: None)
        self._process = self._newProcess()
        self._process.start(
            ["serve", *temporary], self._onOutput, lambda data: self._messages.addErrorOutput(data), self._onEnd
        )

    def _request(self, job: WarmJob) -> dict:
        self._number += 1
        target, *companions = self._targets(job)
        arguments = ["upscale", str(self._writtenScan(job.volume)), str(target), "--no-compression", *job.options]
        for companion, path in zip(job.companions, companions):
            arguments += [f"--{companion.value}", str(path)]
        return {"id": self._number, "arguments": arguments}

    def _writtenScan(self, volume) -> Path:
        """Return the file of the scan; it is written where it is another one than that of the job before."""
        import SimpleITK

        from SuperResolutionLib.files.writing import image_from_volume

        if volume is not self._scan():
            if self._scanFile is not None:
                self._scanFile.unlink(missing_ok=True)
            self._scan, self._scanFile = lambda: None, self._folder / f"scan-{self._number}.nrrd"
            # Uncompressed: this runs on the application's thread.
            SimpleITK.WriteImage(image_from_volume(volume), str(self._scanFile), False)
            # Its voxels are the application's to keep or to drop.
            self._scan = weakref.ref(volume)
        return self._scanFile

    def _targets(self, job: WarmJob) -> list[Path]:
        names = ["output", *(companion.value for companion in job.companions)]
        return [self._folder / f"{name}-{self._number}.nrrd" for name in names]

    def _send(self, request: dict) -> None:
        self._process.write((json.dumps(request) + "\n").encode())

    def _onOutput(self, data: bytes) -> None:
        self._messages.addOutput(data)
        if self._folder is None and self._messages.ready:
            self._folder = Path(self._messages.ready["folder"])
            if self._current is None:
                self._next()
            else:
                self._ask()
        elif self._isAsked and (self._messages.result or self._messages.error):
            self._end(self._outcome())

    def _onEnd(self, exitCode: int) -> None:
        self._process = None
        self._clear()
        if self._current is None:
            self._next()
        elif exitCode == 0 and not self._wasIdle:
            # It had just been idle for long enough when it was asked.
            self._wasIdle = True
            self._ask()
        else:
            message = f"The upscaling program ended unexpectedly (exit code {exitCode}); click again to start it anew."
            self._end(UpscaleOutcome(message=message, log=self._messages.lastLines(self.LOG_LINES)))

    def _outcome(self) -> UpscaleOutcome:
        from SuperResolutionLib.files.reading import read_volume

        log, error = self._messages.lastLines(self.LOG_LINES), self._messages.error
        if error:
            return UpscaleOutcome(message=error["message"], log=log if error["kind"] == "fault" else "")
        paths = self._targets(self._current)
        try:
            volume, *others = (read_volume(path) for path in paths)
        except InputError as failure:
            return UpscaleOutcome(message=f"The result could not be read back: {failure}", log=log)
        finally:
            for path in paths:
                path.unlink(missing_ok=True)
        report = {key: value for key, value in self._messages.result["report"].items() if key != "files"}
        return UpscaleOutcome(volume=volume, companions=dict(zip(self._current.companions, others)), report=report)

    def _end(self, outcome: UpscaleOutcome) -> None:
        job, self._current = self._current, None
        try:
            job.finish(outcome)
        finally:
            self._next()

    def _clear(self) -> None:
        self._scan, self._scanFile = lambda: None, None
        if self._folder is None:
            return
        folder, self._folder = self._folder, None
        # A process that was killed takes a moment to go, and on Windows keeps its files locked meanwhile.
        for _ in range(20):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)
